// Makes README's picture of the page, docs/keyhole.png, and those of the list of methods and of their table in docs/pictures/, in both
// themes, 1,440 pixels wide, from the built page:
//   npm run build && node scripts/screenshots.mjs
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { chromium } from 'playwright-core';
import { chromiumFlags, findBrowser } from './browser.mjs';
import { serveFolder } from './serve.mjs';
import { root } from './setup.mjs';
import { smallPng } from './small-png.mjs';

const folder = join(root, 'docs', 'pictures');
mkdirSync(folder, { recursive: true });
const { executablePath, env } = findBrowser();
const server = await serveFolder(join(root, 'dist', 'app'));
const browser = await chromium.launch({
  executablePath,
  args: chromiumFlags('cpu'),
  env: { ...process.env, ...env },
});
{
  const page = await browser.newPage({ viewport: { width: 1440, height: 900 }, colorScheme: 'dark' });
  await page.goto(server.url);
  await page.evaluate(() => window.keyhole.idle());
  // Answers of the curve's points come once nothing else runs, tiles in their finest last.
  await page.waitForTimeout(5000);
  // In all its colours: few would cut the map's scales into bands.
  writeFileSync(join(root, 'docs', 'keyhole.png'), await page.screenshot());
  await page.close();
}
for (const theme of /** @type {const} */ (['dark', 'light'])) {
  const page = await browser.newPage({ viewport: { width: 1440, height: 880 }, colorScheme: theme });
  await page.goto(`${server.url}#theme=${theme}&task=single-needle&length=256`);
  await page.evaluate(() => window.keyhole.idle());
  await page.getByRole('button', { name: /^Method: / }).click();
  await page.waitForTimeout(500);
  writeFileSync(join(folder, `list-${theme}.png`), smallPng(await page.screenshot()));
  await page.getByRole('button', { name: 'Compare in a table' }).click();
  await page.getByRole('dialog').waitFor();
  await page.waitForTimeout(500);
  writeFileSync(join(folder, `table-${theme}.png`), smallPng(await page.screenshot()));
  await page.close();
}
await browser.close();
await server.close();
