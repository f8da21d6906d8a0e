import { ensureApp } from '../../scripts/bundle.mjs';
import { launchChromium } from './launch';

/** Before the browser tests: says which browser they run in, and builds the page if a source is newer than dist/app. */
export default async function prepareBrowserTests(): Promise<void> {
  const { browser, executablePath, origin } = await launchChromium('cpu');
  console.log(`Browser tests run in Chromium ${browser.version()}, ${origin} (${executablePath}).`);
  await browser.close();
  await ensureApp();
}
