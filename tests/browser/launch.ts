import { type Browser, chromium } from 'playwright-core';
import { chromiumFlags, findBrowser } from '../../scripts/browser.mjs';

/**
 * `cpu`: no flag that concerns WebGPU; without a GPU `requestAdapter()` answers null, and the page takes the CPU.
 * `webgpu`: an adapter on SwiftShader, the Vulkan driver without a GPU. It is a fallback adapter, so that the page takes
 * it only with `#backend=webgpu`.
 */
export type BrowserMode = 'cpu' | 'webgpu';

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
    args: chromiumFlags(mode),
    env: { ...process.env, ...env },
  });
  return { browser, executablePath, origin };
}
