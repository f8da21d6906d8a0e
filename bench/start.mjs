// How long a visitor waits for live numbers: opens the page in Chromium and notes, from navigation on, when the engine has
// started, the text is read, and the first numbers measured here are there. On SwiftShader (#backend=webgpu) compiling the
// kernels is much of it.
//
//   node bench/start.mjs [--repeat 3] [--hash backend=webgpu] [--folder dist/app]
import { pathToFileURL } from 'node:url';
import { parseArgs } from 'node:util';
import { findBrowser } from '../scripts/browser.mjs';
import { ensureApp } from '../scripts/bundle.mjs';
import { serveFolder } from '../scripts/serve.mjs';

/** What the times are of, in order. */
export const MOMENTS = ['engine started', 'text read', 'first live number', 'all layers', 'everything'];

/** Runs in the page before its own scripts: hears what the workers say. */
function listen() {
  /** @type {Record<string, number>} */
  const times = {};
  const note = (/** @type {string} */ moment) => {
    times[moment] ??= performance.now();
  };
  const hear = (/** @type {MessageEvent} */ { data }) => {
    if (data.type === 'started') note('engine started');
    if (data.type !== 'event') return;
    const { name, value } = data.event;
    if (name === 'textRead') note('text read');
    if (name === 'measured' && value.layers) note('first live number');
    if (name === 'measured' && value.layers?.length === 8) note('all layers');
  };
  const Original = window.Worker;
  window.Worker = class extends Original {
    /** @param {string | URL} url @param {WorkerOptions} [options] */
    constructor(url, options) {
      super(url, options);
      this.addEventListener('message', hear);
    }
  };
  Object.assign(window, { startTimes: times });
}

/**
 * Milliseconds from navigation to each moment, in a browser of its own, so that nothing is cached.
 * @param {string} folder the built page
 * @param {string} hash what the address says behind #
 * @returns {Promise<Record<string, number>>}
 */
export async function measureStart(folder, hash) {
  const { chromium } = await import('playwright-core');
  const { executablePath, env } = findBrowser();
  const server = await serveFolder(folder);
  const browser = await chromium.launch({
    executablePath,
    args: [
      '--enable-unsafe-webgpu',
      '--use-webgpu-adapter=swiftshader',
      '--disable-background-networking',
      '--no-first-run',
    ],
    env: { ...process.env, ...env },
  });
  try {
    const page = await browser.newPage({ viewport: { width: 1440, height: 900 } });
    await page.addInitScript(listen);
    await page.goto(`${server.url}#${hash}`);
    await page.evaluate(() => Reflect.get(window, 'keyhole').idle());
    return await page.evaluate(() => ({
      ...Reflect.get(window, 'startTimes'),
      everything: performance.now(),
    }));
  } finally {
    await browser.close();
    await server.close();
  }
}

async function main() {
  const { values } = parseArgs({
    options: {
      repeat: { type: 'string', default: '3' },
      hash: { type: 'string', default: 'backend=webgpu' },
      folder: { type: 'string' },
    },
  });
  const folder = values.folder ?? (await ensureApp());
  console.log(MOMENTS.map((moment) => moment.padStart(18)).join(''));
  for (let run = 0; run < Number(values.repeat); run++) {
    const times = await measureStart(folder, values.hash);
    console.log(
      MOMENTS.map((moment) => `${((times[moment] ?? Number.NaN) / 1000).toFixed(2)} s`.padStart(18)).join(''),
    );
  }
}

if (process.argv[1] && import.meta.url === pathToFileURL(process.argv[1]).href) await main();
