import { expect, test } from 'vitest';
import type { KeyholeState } from '../../src/page/contract';
import { comparable, expectEqual } from './equal-states';
import { describeInChromium, idle, screenshot } from './harness';

/** What the page must say once the default study has run on the CPU, with curves of these methods. */
function expectDefaultStudy(state: KeyholeState, swept: readonly string[]): void {
  expect(state.error).toBeNull();
  expect(state.backend).toBe('cpu');
  expect(state.origin).toBe('live');
  expect(state.method).toBe('esa');
  const { measurements } = state;
  expect(measurements?.layers.map(({ layer }) => layer)).toEqual([0, 1, 2, 3, 4, 5, 6, 7]);
  for (const layer of measurements?.layers ?? []) {
    expect(layer.heads).toHaveLength(6);
    expect(layer.massRecall).toBeGreaterThan(0.3);
    expect(layer.massRecall).toBeLessThanOrEqual(1.000001);
    const mean = layer.heads.reduce((sum, head) => sum + head.massRecall!, 0) / 6;
    expect(layer.massRecall).toBeCloseTo(mean, 6);
  }
  expect(measurements?.freeRun?.fullAnswer?.right, 'full attention finds the needles').toBe(true);
  expect(measurements?.freeRun?.divergenceNats).toBeGreaterThanOrEqual(0);
  expect(measurements?.sweep?.map(({ method }) => method.id)).toEqual(swept);
  for (const { points } of measurements?.sweep ?? []) expect(points).toHaveLength(12);
}

describeInChromium(
  'the built folder below a path',
  'cpu',
  (chromium) => {
    test('shows the recorded study at once, then the same numbers live from the CPU', async () => {
      const page = await chromium.openPage();
      expect(await page.title()).toBe('Keyhole');
      await page.getByRole('heading', { level: 1 }).waitFor();
      await page.getByText('recorded', { exact: false }).first().waitFor();
      const recorded = await page.evaluate(() => window.keyhole.state());
      expect(recorded.origin).toBe('recorded');
      expect(recorded.measurements?.layers).toHaveLength(8);
      await screenshot(page, 'cpu-recorded');
      const state = await idle<KeyholeState>(page);
      await screenshot(page, 'cpu-live');
      expectDefaultStudy(state, ['esa', 'oracle', 'streaming-llm', 'lagkv', 'random']);
      // The committed recording is what a fresh run on the CPU gives.
      expectEqual(comparable({ ...recorded, backend: 'cpu' }), comparable(state), 'recorded study');
      // The whole study has violated nothing of the page's policy: that would be a problem, as it is now.
      expect(chromium.problems).toEqual([]);
      const hasRun = await page.evaluate(() => {
        const script = document.createElement('script');
        script.textContent = 'window.hasRun = true';
        document.body.append(script);
        return 'hasRun' in window;
      });
      expect(hasRun, 'a script in the page').toBe(false);
      await expect
        .poll(() => chromium.problems.splice(0))
        .toEqual([expect.stringContaining('Content Security Policy')]);
    });
  },
  { prefix: '/some/where/deep/' },
);
