// Replays the map's trace (bench/map-trace.ts) on the page in Chromium, sixty steps a second, and prints how long after each
// gesture the page's main thread takes it up, and how long after it the next frame is ready.
//
//   node bench/map-page.mjs [--tokens 4096] [--backend cpu|webgpu] [--app FOLDER]
//
// `webgpu` runs the engine on SwiftShader. --app: a built page other than dist/app. Run `npm run bench` once before: it installs.
import { parseArgs } from 'node:util';
import { chromium } from 'playwright-core';
import { findBrowser } from '../scripts/browser.mjs';
import { ensureApp, ensureBundle } from '../scripts/bundle.mjs';
import { serveFolder } from '../scripts/serve.mjs';

/**
 * When a gesture was made, when the page's main thread took it up, and when all of the next frame was done: milliseconds.
 * @typedef {{ at: number, taken: number, frame: number }} Gesture
 */

const STEP_MILLISECONDS = 1000 / 60;

const { values } = parseArgs({
  options: {
    tokens: { type: 'string', default: '4096' },
    backend: { type: 'string', default: 'webgpu' },
    app: { type: 'string' },
  },
});
const { mapTrace } = await import(await ensureBundle('bench/map-trace.ts', 'map-trace'));
const server = await serveFolder(values.app ?? (await ensureApp()));
const { executablePath, env } = findBrowser();
const browser = await chromium.launch({
  executablePath,
  args: ['--enable-unsafe-webgpu', '--use-webgpu-adapter=swiftshader'],
  env: { ...process.env, ...env },
});

try {
  const page = await browser.newPage({ viewport: { width: 1440, height: 900 } });
  const start = performance.now();
  await page.goto(`${server.url}#length=${values.tokens}&backend=${values.backend}`);
  await page.waitForFunction(() => window.keyhole !== undefined);
  const state = await page.evaluate(() => window.keyhole.idle());
  if (state.error) throw new Error(state.error);
  console.log(
    `${values.tokens} tokens on ${state.backend}: the study took ${Math.round(performance.now() - start) / 1000} s`,
  );
  await page.evaluate(recordGestures);
  const box = await page.getByRole('application', { name: /^Attention map/ }).boundingBox();
  if (!box) throw new Error('The page shows no map.');
  await replay(await page.context().newCDPSession(page), box);
  await sleep(1000);
  /** @type {Gesture[]} */
  const gestures = await page.evaluate(() => /** @type {any} */ (window).gestures);
  report(
    'taken up',
    gestures.map(({ at, taken }) => taken - at),
  );
  report(
    'next frame',
    gestures.map(({ at, frame }) => frame - at),
  );
} finally {
  await browser.close();
  await server.close();
}

/** In the page: notes when gestures were made, taken up, and followed by a frame. */
function recordGestures() {
  /** @type {Gesture[]} */
  const gestures = [];
  /** @type {any} */ (window).gestures = gestures;
  const note = (/** @type {Event} */ event) => {
    const gesture = { at: event.timeStamp, taken: performance.now(), frame: Number.NaN };
    // A task behind the frame's: everything that the frame had to do is done.
    const { port1, port2 } = new MessageChannel();
    port1.onmessage = () => {
      gesture.frame = performance.now();
      gestures.push(gesture);
    };
    requestAnimationFrame(() => port2.postMessage(null));
  };
  addEventListener('wheel', note, { capture: true, passive: true });
  addEventListener('pointermove', (event) => event.buttons !== 0 && note(event), { capture: true });
}

/**
 * Sends the steps as a mouse would, whether or not the page keeps up.
 * @param {import('playwright-core').CDPSession} session
 * @param {{ x: number, y: number, width: number, height: number }} box
 */
async function replay(session, box) {
  /** @type {Promise<unknown>[]} */
  const sent = [];
  /** @type {(type: 'mouseWheel' | 'mousePressed' | 'mouseMoved' | 'mouseReleased', x: number, y: number, more: object) => void} */
  const send = (type, x, y, more) => {
    sent.push(session.send('Input.dispatchMouseEvent', { type, x, y, ...more }));
  };
  const left = { button: 'left', buttons: 1 };
  /** @type {{ x: number, y: number } | null} */
  let hand = null;
  const release = () => {
    if (hand) send('mouseReleased', hand.x, hand.y, left);
    hand = null;
  };
  const start = performance.now();
  for (const [index, step] of mapTrace().entries()) {
    if (step.kind === 'wheel') {
      release();
      send('mouseWheel', box.x + step.x * box.width, box.y + step.y * box.height, {
        deltaX: 0,
        deltaY: step.delta,
      });
    } else {
      if (!hand) {
        hand = { x: box.x + box.width / 2, y: box.y + box.height / 2 };
        send('mousePressed', hand.x, hand.y, { ...left, clickCount: 1 });
      }
      hand = { x: hand.x + step.x * box.width, y: hand.y + step.y * box.height };
      send('mouseMoved', hand.x, hand.y, left);
    }
    await sleep(start + (index + 1) * STEP_MILLISECONDS - performance.now());
  }
  release();
  await Promise.all(sent);
}

/** @param {string} name @param {number[]} milliseconds */
function report(name, milliseconds) {
  const sorted = [...milliseconds].sort((a, b) => a - b);
  const at = (/** @type {number} */ share) =>
    sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))]?.toFixed(1);
  console.log(
    `${name.padEnd(10)} after ${sorted.length} gestures: median ${at(0.5)}, 95 % within ${at(0.95)}, all within ${at(1)} ms`,
  );
}

/** @param {number} milliseconds */
function sleep(milliseconds) {
  return new Promise((resolve) => setTimeout(resolve, Math.max(0, milliseconds)));
}
