import type { Page } from 'playwright-core';
import { expect, test } from 'vitest';
import type { KeyholeState } from '../../src/page/contract';
import { packText } from '../../src/page/link/compress';
import { comparable, expectEqual } from './equal-states';
import { describeInChromium, follow, idle } from './harness';

const TEXT =
  'The ferryman kept his boat tied below the willow, where the river slowed before the mill. Each morning he looked at the water first and at the sky afterwards, for the river told him more. When it ran brown and quick he let the farmers wait on the bank until noon. When it lay flat he took them over two at a time, with their baskets of eggs and their quarrels, and he was paid in copper, in bread, and now and then in news. His daughter wrote the crossings down in a long book with a green cover.';

/**
 * What is changed on the page before its link is taken: between them every kind of key that a link has. How the parameters of each method
 * are written and read is tested without a browser, tests/page/link.
 */
const visits: Readonly<Record<string, string>> = {
  'an own text, a learned projection, a zoomed map, one query, in light': `text=${await packText(TEXT)}&method=esa&p.projection=learned&p.compressedDim=8&p.selectedTokens=24&p.localTokens=48&p.chunkTokens=32&layer=3&head=2&query=77&zoom=10-60-5-50&mode=selective&theme=light&pin=none`,
  'a small task, a split map, a pinned sliding cache':
    'task=single-needle&length=128&depth=0.5&seed=3&method=lagkv&p.variant=official&p.keepFraction=0.5&p.lagTokens=16&p.sinkTokens=4&mode=split&split=0.3&pooling=mean&pin=streaming-llm(positions:cache,keepFraction:0.3)',
};

describeInChromium('links', 'cpu', (chromium) => {
  /** A page starts slowly: the one that shows a link is the one in which the next is made. */
  test('a fresh browser shows the state that made the link', { timeout: 240_000 }, async () => {
    let page: Page | null = null;
    const faults: unknown[] = [];
    for (const [name, hash] of Object.entries(visits)) {
      if (page) await follow(page, hash);
      else page = await chromium.openPage(hash);
      const made = await idle<KeyholeState>(page);
      expect.soft(made.error, name).toBeNull();
      expect.soft(made.measurements?.layers, name).toHaveLength(8);
      await page.getByRole('button', { name: 'Share' }).click();
      const link = await page.getByLabel('Link to this view').inputValue();
      await page.context().close();
      page = await chromium.openPage(new URL(link).hash);
      const shown = comparable(await idle<KeyholeState>(page));
      // One that differs hides none of the links after it.
      try {
        expectEqual(shown, comparable(made), name);
      } catch (fault) {
        faults.push(fault);
      }
    }
    if (faults.length > 0) throw new AggregateError(faults, faults.join('\n'));
  });
});
