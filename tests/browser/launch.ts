import { type Browser, chromium } from 'playwright-core';
import { findBrowser, softwareDawnFlags } from '../../scripts/browser.mjs';

/**
 * `cpu`: no flag that concerns WebGPU; without a GPU `requestAdapter()` answers null, and the page takes the CPU.
 * `webgpu`: an adapter on SwiftShader, the Vulkan driver without a GPU. It is a fallback adapter, so that the page takes
 * it only with `#backend=webgpu`.
 */
export type BrowserMode = 'cpu' | 'webgpu';

// A test talks to nothing but its own server.
const quiet = [
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
  '--disable-quic',
  '--no-first-run',
];

const modeFlags: Record<BrowserMode, string[]> = {
  cpu: [],
  webgpu: [
    '--enable-unsafe-webgpu',
    '--use-webgpu-adapter=swiftshader',
    ...softwareDawnFlags.map((flag) => `--${flag}`),
  ],
};

export interface LaunchedChromium {
  readonly browser: Browser;
  readonly executablePath: string;
  /** In words: installed, carried, or named by CHROME_PATH. */
  readonly origin: string;
}

/**
 * Starts a headless Chrome or Chromium. Playwright turns its sandbox off, without which it does not start as root.
 *
 * @throws if there is no browser: a page that was not opened must not look like one that passed
 */
export async function launchChromium(mode: BrowserMode): Promise<LaunchedChromium> {
  const { executablePath, origin, env } = findBrowser();
  const browser = await chromium.launch({
    executablePath,
    args: [...quiet, ...modeFlags[mode]],
    env: { ...process.env, ...env },
  });
  return { browser, executablePath, origin };
}
