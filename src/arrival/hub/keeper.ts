/** The worker that fetches and keeps hub models; the page's side is hub-models.ts. */

import { openBrowserStorage } from './browser-storage';
import type { ToHub } from './protocol';
import { serveHub } from './serve';

const hear = serveHub((message) => postMessage(message), {
  storage: openBrowserStorage(),
  locks: navigator.locks ?? null,
});
addEventListener('message', ({ data }: MessageEvent<ToHub>) => hear(data));
