import type { Page } from 'playwright-core';
import { expect, test } from 'vitest';
import type { KeyholeState } from '../../src/page/contract';
import { packText } from '../../src/page/link/compress';
import { comparable, expectEqual } from './equal-states';
import { describeInChromium, idle, until } from './harness';

const TEXT =
  'The ferryman kept his boat tied below the willow, where the river slowed before the mill. Each morning he looked at the water first and at the sky afterwards, for the river told him more. When it ran brown and quick he let the farmers wait on the bank until noon. When it lay flat he took them over two at a time, with their baskets of eggs and their quarrels, and he was paid in copper, in bread, and now and then in news. His daughter wrote the crossings down in a long book with a green cover.';

/**
 * What is changed on the page before its link is taken: between them every kind of key that a link has. How the parameters of each method
 * are written and read is tested without a browser, tests/page/link.
 */
const visits: Readonly<Record<string, string>> = {
  'the defaults': 'sample=short',
  'an own text, a learned projection and a zoomed map': `text=${await packText(TEXT)}&method=esa&p.projection=learned&p.compressedDim=8&p.selectedTokens=24&p.localTokens=48&p.chunkTokens=32&layer=3&head=2&zoom=10-60-5-50&pin=none`,
  'a sliding cache, one query of one head, in light':
    'sample=short&method=streaming-llm&p.positions=cache&p.keepFraction=0.3&layer=5&head=1&query=77&mode=selective&theme=light&pin=none',
  'a small task, a split map, a pinned method':
    'task=single-needle&length=128&depth=0.5&seed=3&method=lagkv&p.variant=official&p.keepFraction=0.5&p.lagTokens=16&p.sinkTokens=4&mode=split&split=0.3&pooling=mean&pin=random',
};

/** Of these every number is compared. The others' visits end with their free run, which has the method's numbers. */
const toTheEnd = new Set(['the defaults', 'a small task, a split map, a pinned method']);

describeInChromium('links', 'cpu', (chromium) => {
  test.each(Object.entries(visits))(
    '%s: a fresh browser shows the state that made the link',
    async (name, hash) => {
      const visit = async (link: string): Promise<{ page: Page; state: KeyholeState }> => {
        const page = await chromium.openPage(link);
        if (toTheEnd.has(name)) return { page, state: await idle<KeyholeState>(page) };
        // What was asked for comes with the cost, from another worker than the free run.
        await until(page, () => {
          const measurements = window.keyhole?.state().measurements;
          return Boolean(measurements?.freeRun && measurements.cost);
        });
        return { page, state: upToFreeRun(await page.evaluate(() => window.keyhole.state())) };
      };
      const { page, state: made } = await visit(hash);
      expect(made.error).toBeNull();
      if (toTheEnd.has(name)) expect(made.measurements?.layers).toHaveLength(8);
      await page.getByRole('button', { name: 'Share' }).click();
      const link = await page.getByLabel('Link to this view').inputValue();
      await page.context().close();
      const { state: opened } = await visit(new URL(link).hash);
      expectEqual(comparable(opened), comparable(made), 'state');
    },
  );
});

/** The state without what is measured after the free run. */
function upToFreeRun(state: KeyholeState): KeyholeState {
  expect(state.measurements?.freeRun).toBeTruthy();
  return { ...state, measurements: { ...state.measurements!, layers: [], cost: null, sweep: null } };
}
