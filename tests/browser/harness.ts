import { join } from 'node:path';
import type { Browser, BrowserContextOptions, Page } from 'playwright-core';
import { afterAll, afterEach, beforeAll, describe, expect } from 'vitest';
import { serveFolder } from '../../scripts/serve.mjs';
import { root } from '../../scripts/setup.mjs';
import { type BrowserMode, launchChromium } from './launch';

export interface ChromiumTest {
  /** Address of the page, with a slash at its end; there inside tests and hooks. */
  readonly url: string;
  readonly browser: Browser;
  /** Opens the page in a browser profile of its own; `hash` as in a link, with or without `#`. `prepare` gets it while it is empty. */
  openPage(
    hash?: string,
    options?: BrowserContextOptions & { prepare?: (page: Page) => Promise<unknown> },
  ): Promise<Page>;
  /** What went wrong in the pages so far. A test that provokes an error takes it out with `splice(0)`. */
  readonly problems: string[];
}

export interface ChromiumTestOptions {
  /** Folder to serve; the built page if left out. */
  folder?: string;
  /** Path to serve it under, with a slash at both ends. */
  prefix?: string;
}

/**
 * `describe` with a Chromium and a server of static files. After each test its pages are closed, and the test fails if one
 * of them logged an error, threw, or asked for anything outside its server.
 */
export function describeInChromium(
  name: string,
  mode: BrowserMode,
  tests: (chromium: ChromiumTest) => void,
  { folder = join(root, 'dist', 'app'), prefix = '/' }: ChromiumTestOptions = {},
): void {
  describe(`${name} (Chromium, ${mode})`, () => {
    const problems: string[] = [];
    let browser: Browser | undefined;
    let server: Awaited<ReturnType<typeof serveFolder>> | undefined;

    beforeAll(async () => {
      server = await serveFolder(folder, { prefix });
      browser = (await launchChromium(mode)).browser;
    });

    afterEach(async () => {
      await Promise.all(browser?.contexts().map((context) => context.close()) ?? []);
      expect(problems.splice(0), 'errors in the page').toEqual([]);
    });

    afterAll(async () => {
      await browser?.close();
      await server?.close();
    });

    tests({
      problems,
      get url() {
        return server!.url;
      },
      get browser() {
        return browser!;
      },
      async openPage(hash = '', { prepare, ...options } = {}) {
        const context = await browser!.newContext({ viewport: { width: 1440, height: 900 }, ...options });
        const page = await context.newPage();
        collectProblems(page, server!.url, problems);
        await prepare?.(page);
        await page.goto(`${server!.url}${hash && !hash.startsWith('#') ? '#' : ''}${hash}`);
        return page;
      },
    });
  });
}

/**
 * Errors on the console of the page and its workers, exceptions nobody caught, failed and foreign requests. WebGPU errors
 * that no error scope took are warnings on the console of a page; in a worker they are silent, so that the program has to
 * listen for `uncapturederror` there.
 */
function collectProblems(page: Page, serverUrl: string, problems: string[]): void {
  const serverOrigin = new URL(serverUrl).origin;
  page.on('console', (message) => {
    const isGpuError = message.type() === 'warning' && message.text().includes('While calling [');
    if (message.type() === 'error' || isGpuError)
      problems.push(`console: ${message.text()} (${message.location().url})`);
  });
  page.on('pageerror', (error) => problems.push(`uncaught: ${error.message}`));
  page.on('crash', () => problems.push('the page crashed'));
  page.on('request', (request) => {
    const { protocol, origin } = new URL(request.url());
    if (protocol.startsWith('http') && origin !== serverOrigin)
      problems.push(`foreign request: ${request.url()}`);
  });
  page.on('response', (response) => {
    if (response.status() >= 400) problems.push(`${response.status()}: ${response.url()}`);
  });
}

/** Waits until nothing runs or waits in the page and the measurements are live; gives `window.keyhole.state()`. */
export async function idle<State>(page: Page): Promise<State> {
  return page.evaluate(() => (window as unknown as { keyhole: { idle(): Promise<State> } }).keyhole.idle());
}

/** Follows a link in a page that stands. From here on `idle` waits for what it asks for. */
export async function follow(page: Page, hash: string): Promise<void> {
  await page.evaluate(
    (next) =>
      new Promise<void>((followed) => {
        addEventListener('hashchange', () => followed(), { once: true });
        location.hash = next;
      }),
    hash,
  );
}

/** Waits until something is so in the page. Asked ten times a second, not at every frame: a state is a copy of all that the page has. */
export async function until(page: Page, isSo: () => boolean, timeout = 110_000): Promise<void> {
  await page.waitForFunction(isSo, undefined, { timeout, polling: 100 });
}

/** Saves a picture of the page in test-results/, which git ignores. */
export async function screenshot(page: Page, name: string): Promise<void> {
  await page.screenshot({ path: join(root, 'test-results', `${name}.png`) });
}
