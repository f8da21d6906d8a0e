/** Hub models without a worker: what fetches and keeps them runs in the test's own thread, in memory unless storage is given. */
import { HubModels } from '../../../src/arrival/hub/hub-models';
import type { FromHub, ToHub } from '../../../src/arrival/hub/protocol';
import { serveHub } from '../../../src/arrival/hub/serve';
import { MemoryStorage, type ModelStorage } from '../../../src/arrival/hub/storage';

export function hubInThread(storage: ModelStorage | null = new MemoryStorage()): HubModels {
  const createWorker = (): Worker => {
    const worker = {
      onmessage: null as ((event: { data: FromHub }) => void) | null,
      onerror: null,
      postMessage: (message: ToHub) => void hear(structuredClone(message)),
    };
    const post = (data: FromHub): void => void setTimeout(() => worker.onmessage?.({ data }));
    const hear = serveHub(post, { storage: Promise.resolve(storage), locks: null, retries: [10, 10] });
    return worker as unknown as Worker;
  };
  return new HubModels({ createWorker });
}
