// The way of one parameter from its slider to the kernels and back to paint, in modules: opens the default study in a
// Chromium over Vite's development server, which serves every module by itself to page and workers, moves the slider of
// ESA's compressed dimension by one key, and prints the modules of the project in which a function ran until the page was idle.
//   node scripts/walk.mjs [--until idle|picture] [--root DIR] [--backend cpu|webgpu] [--names | --functions]
// --until picture stops once the map has been painted with the new selection, and leaves the worker of the free run out: what is
// left is the parameter's own way, without sweep, answer and times. --root counts another checkout (with its packages installed);
// --names lists every module, --functions the functions in each that ran as well.
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { chromium } from 'playwright-core';
import { createServer } from 'vite';
import { chromiumFlags, findBrowser } from './browser.mjs';
import { fail, root } from './setup.mjs';

const { values: options } = parseArgs({
  options: {
    root: { type: 'string', default: root },
    backend: { type: 'string', default: 'cpu' },
    until: { type: 'string', default: 'idle' },
    names: { type: 'boolean', default: false },
    functions: { type: 'boolean', default: false },
  },
});
const { backend } = options;
if (backend !== 'cpu' && backend !== 'webgpu') fail(`--backend must be cpu or webgpu, not "${backend}".`);
const { until } = options;
if (until !== 'idle' && until !== 'picture') fail(`--until must be idle or picture, not "${until}".`);
const project = resolve(options.root);

/**
 * A script of the page or of a worker, as CDP counts it.
 * @typedef {{ url: string, functions: { functionName: string, ranges: { startOffset: number, count: number }[] }[] }} ScriptCoverage
 */

/** @typedef {(method: string, parameters?: object) => Promise<any>} Send a command to one target */

/** Counts of executed functions from now on; what ran before does not count. @param {Send} send */
async function startCounting(send) {
  await send('Profiler.enable');
  await send('Profiler.startPreciseCoverage', { callCount: true, detailed: false });
}

/** A worker that stands still once it has answered with a map, so that what it does afterwards is not counted. @param {Send} send */
async function prepareWorker(send) {
  await startCounting(send);
  if (until === 'idle') return;
  await send('Debugger.enable');
  await send('Runtime.evaluate', { expression: `(${holdAtPicture})()` });
}

/** In the worker: a busy loop would not hear that it may go on, a breakpoint does. */
function holdAtPicture() {
  const worker = /** @type {any} */ (globalThis);
  const post = worker.postMessage.bind(worker);
  worker.postMessage = (/** @type {any} */ message, /** @type {any} */ options) => {
    post(message, options);
    const isPicture = message.value?.kept?.some((/** @type {unknown} */ share) => share !== null);
    // biome-ignore lint/suspicious/noDebugger: the worker stands still until Debugger.resume
    if (worker.walkHolds && isPicture) debugger;
  };
}

/**
 * Modules of the project in which a function ran since the last call. A module's own body does not count: it runs when the
 * module is loaded.
 * @param {Send} send @param {string} origin
 * @returns {Promise<Map<string, Set<string>>>} names of the functions by path from the project's root
 */
async function takeModules(send, origin) {
  /** @type {{ result: ScriptCoverage[] }} */
  const { result } = await send('Profiler.takePreciseCoverage');
  /** @type {Map<string, Set<string>>} */
  const modules = new Map();
  for (const { url, functions } of result) {
    if (!url.startsWith(`${origin}/`)) continue;
    const path = decodeURIComponent(new URL(url).pathname).slice(1);
    if (path.includes('node_modules') || !existsSync(join(project, path))) continue;
    const ran = functions.filter(
      ({ functionName, ranges }) =>
        (ranges[0]?.count ?? 0) > 0 && !(functionName === '' && ranges[0]?.startOffset === 0),
    );
    if (ran.length > 0)
      modules.set(path, new Set(ran.map(({ functionName }) => functionName || '(nameless)')));
  }
  return modules;
}

/**
 * Workers of the page, those that start later too. Playwright's session passes on events of its own target only, so that
 * messages of workers come wrapped (`flatten: false`).
 * @param {import('playwright-core').CDPSession} page @param {(send: Send) => Promise<void>} prepare runs before the worker's modules
 */
async function attachWorkers(page, prepare) {
  /** @type {Map<string, Send>} */
  const workers = new Map();
  /** @type {Map<string, (answer: any) => void>} */
  const waiting = new Map();
  let last = 0;
  page.on('Target.receivedMessageFromTarget', ({ sessionId, message }) => {
    const answer = JSON.parse(message);
    waiting.get(`${sessionId} ${answer.id}`)?.(answer);
  });
  page.on('Target.attachedToTarget', async ({ sessionId, targetInfo }) => {
    if (targetInfo.type !== 'worker') return;
    /** @type {Send} */
    const send = async (method, parameters = {}) => {
      last += 1;
      const key = `${sessionId} ${last}`;
      const answer = new Promise((settle) => waiting.set(key, settle));
      const message = JSON.stringify({ id: last, method, params: parameters });
      await page.send('Target.sendMessageToTarget', { sessionId, message });
      const { result, error } = await answer;
      waiting.delete(key);
      if (error) throw new Error(`${method} in a worker: ${error.message}`);
      return result;
    };
    workers.set(sessionId, send);
    await prepare(send);
    await send('Runtime.runIfWaitingForDebugger');
  });
  page.on('Target.detachedFromTarget', ({ sessionId }) => workers.delete(sessionId));
  await page.send('Target.setAutoAttach', { autoAttach: true, waitForDebuggerOnStart: true, flatten: false });
  return workers;
}

/** Workers that have said nothing for so long have nothing left to do. */
const QUIET_MILLISECONDS = 2000;

const idle = (/** @type {import('playwright-core').Page} */ page) =>
  page.evaluate(() => /** @type {any} */ (window).keyhole.idle());

/** In the page: tells of requests to workers, and resolves `painted` two frames after the first kept shares have come. */
function watchWorkers() {
  const watched = /** @type {any} */ (window);
  watched.walk = { urls: [], painted: null, index: null, heard: 0 };
  let arrive = () => {};
  watched.walk.watch = () => {
    watched.walk.painted = new Promise((settle) => {
      arrive = () =>
        requestAnimationFrame(() =>
          requestAnimationFrame(() => {
            watched.walk.milliseconds = Math.round(performance.now() - pressed);
            settle(null);
          }),
        );
    });
    let pressed = 0;
    addEventListener(
      'keydown',
      ({ timeStamp }) => {
        pressed ||= timeStamp;
      },
      { capture: true },
    );
  };
  const asked = new Set();
  window.Worker = class extends Worker {
    /** @param {string | URL} url @param {WorkerOptions} [settings] */
    constructor(url, settings) {
      super(url, settings);
      const index = watched.walk.urls.push(String(url)) - 1;
      this.addEventListener('message', ({ data }) => {
        watched.walk.heard = performance.now();
        if (!asked.delete(data?.id) || watched.walk.painted === null) return;
        // The selection is not there yet: it is asked for again.
        if (!data.value?.kept?.some((/** @type {unknown} */ share) => share !== null)) return;
        watched.walk.index = index;
        arrive();
      });
    }

    /** @override @param {any} message @param {any} [transfer] */
    postMessage(message, transfer) {
      if (watched.walk.painted !== null && JSON.stringify(message).includes('coverage'))
        asked.add(message.id);
      super.postMessage(message, transfer);
    }
  };
}

/** @param {string} url @param {import('playwright-core').Browser} browser */
async function walk(url, browser) {
  const page = await browser.newPage({ viewport: { width: 1440, height: 900 } });
  const session = await page.context().newCDPSession(page);
  /** @type {Send} */
  const send = (method, parameters) => session.send(/** @type {any} */ (method), parameters);
  const workers = await attachWorkers(session, prepareWorker);
  await page.addInitScript(watchWorkers);
  await page.goto(`${url}#backend=${backend}`);
  const before = await idle(page);
  if (before.backend !== backend)
    throw new Error(`the page runs on ${before.backend}: there is no ${backend}`);
  const slider = page.getByRole('slider', { name: 'Compressed dimension, slider' });
  await slider.focus();
  await idle(page);
  // Thumbnails that are still being made are no part of the way.
  await page.waitForFunction(
    (quiet) => performance.now() - /** @type {any} */ (window).walk.heard > quiet,
    QUIET_MILLISECONDS,
  );

  await startCounting(send);
  const origin = new URL(url).origin;
  for (const worker of workers.values()) {
    await takeModules(worker, origin);
    await worker('Runtime.evaluate', { expression: 'globalThis.walkHolds = true' });
  }
  await page.evaluate(() => /** @type {any} */ (window).walk.watch());
  await page.keyboard.press('ArrowLeft');
  /** @type {number | null} */
  let only = null;
  if (until === 'picture')
    only = await page.evaluate(() =>
      /** @type {any} */ (window).walk.painted.then(() => /** @type {any} */ (window).walk.index),
    );
  else await idle(page);
  const inPage = await takeModules(send, origin);
  const counted = [...workers.values()].filter((_, index) => only === null || index === only);
  const workerModules = await Promise.all(counted.map((worker) => takeModules(worker, origin)));
  /** @type {Map<string, Set<string>>} */
  const inWorkers = new Map();
  for (const [path, names] of workerModules.flatMap((modules) => [...modules]))
    inWorkers.set(path, new Set([...(inWorkers.get(path) ?? []), ...names]));
  const milliseconds = await page.evaluate(() => /** @type {any} */ (window).walk.milliseconds);
  if (until === 'picture')
    for (const worker of workers.values()) {
      await worker('Debugger.setSkipAllPauses', { skip: true });
      // Refused by a worker that is not held.
      await worker('Debugger.resume').catch(() => {});
    }
  const after = await page.evaluate(() => /** @type {any} */ (window).keyhole.state());
  await page.close();
  return {
    from: before.parameters.compressedDim,
    to: after.parameters.compressedDim,
    inPage,
    inWorkers,
    workers: counted.length,
    milliseconds,
  };
}

/** Two folders of the path, which is a room: `src/engine`, `gpu/operations`. @param {string} path */
const roomOf = (path) => dirname(path).split('/').slice(0, 2).join('/');

// A cache of its own: prepared packages of another checkout or of a running `npm run dev` stay as they are.
const cacheDir = mkdtempSync(join(tmpdir(), 'keyhole-walk-'));
const server = await createServer({
  root: project,
  configFile: join(project, 'vite.config.ts'),
  cacheDir,
  logLevel: 'error',
  server: { port: 0, hmr: false, watch: null },
});
const { executablePath, env } = findBrowser();
const browser = await chromium.launch({
  executablePath,
  args: chromiumFlags(backend),
  env: { ...process.env, ...env },
});
try {
  await server.listen();
  const url = server.resolvedUrls?.local[0] ?? fail('Vite serves no address.');
  // Packages that Vite finds late make it load the page anew: once to find them, once to count.
  const first = await browser.newPage();
  await first.goto(url);
  await first.waitForFunction(() => 'keyhole' in window);
  await idle(first);
  await first.close();

  const { from, to, inPage, inWorkers, workers, milliseconds } = await walk(url, browser);
  if (from === to) throw new Error(`the key did not move the slider from ${from}`);
  const all = [...new Set([...inPage.keys(), ...inWorkers.keys()])].sort();
  /** @type {Map<string, string[]>} */
  const rooms = new Map();
  for (const path of all) rooms.set(roomOf(path), [...(rooms.get(roomOf(path)) ?? []), path]);
  console.log(`compressedDim ${from} → ${to}, backend ${backend}, a page and ${workers} workers`);
  console.log(`painted ${milliseconds} ms after the key, counting included`);
  console.log(
    `modules with an executed function until ${until === 'idle' ? 'the page is idle' : 'the map is painted'}, by room\n`,
  );
  console.log('  all  page  worker');
  const line = (/** @type {string[]} */ paths, /** @type {string} */ name) => {
    const count = (/** @type {Map<string, unknown>} */ where) =>
      paths.filter((path) => where.has(path)).length;
    const columns = [
      String(paths.length).padStart(5),
      String(count(inPage)).padStart(5),
      String(count(inWorkers)).padStart(7),
    ];
    console.log(`${columns.join(' ')}  ${name}`);
  };
  for (const [room, paths] of rooms) {
    line(paths, room);
    if (!options.names && !options.functions) continue;
    for (const path of paths) {
      console.log(
        `${' '.repeat(21)}${path}${inPage.has(path) ? ' page' : ''}${inWorkers.has(path) ? ' worker' : ''}`,
      );
      if (!options.functions) continue;
      const names = new Set([...(inPage.get(path) ?? []), ...(inWorkers.get(path) ?? [])]);
      console.log(`${' '.repeat(23)}${[...names].join(', ')}`);
    }
  }
  line(all, 'total');
} finally {
  await browser.close();
  await server.close();
  rmSync(cacheDir, { recursive: true, force: true });
}
