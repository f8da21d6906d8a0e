import { expect, test } from 'vitest';
import type { KeyholeState } from '../../src/page/contract';
import { comparable, expectEqual } from './equal-states';
import { describeInChromium, idle, screenshot, until } from './harness';

/** What the page must say once the default study has run, on any backend, with curves of these methods. */
function expectDefaultStudy(state: KeyholeState, backend: 'cpu' | 'webgpu', swept: readonly string[]): void {
  expect(state.error).toBeNull();
  expect(state.backend).toBe(backend);
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

describeInChromium('default study', 'cpu', (chromium) => {
  test('shows the recorded study at once, then the same numbers live from the CPU', async () => {
    const page = await chromium.openPage();
    await page.getByText('recorded', { exact: false }).first().waitFor();
    const recorded = await page.evaluate(() => window.keyhole.state());
    expect(recorded.origin).toBe('recorded');
    expect(recorded.measurements?.layers).toHaveLength(8);
    await screenshot(page, 'cpu-recorded');
    const state = await idle<KeyholeState>(page);
    await screenshot(page, 'cpu-live');
    expectDefaultStudy(state, 'cpu', ['esa', 'oracle', 'streaming-llm', 'lagkv', 'random']);
    // The committed recording is what a fresh run on the CPU gives.
    expectEqual(comparable({ ...recorded, backend: 'cpu' }), comparable(state), 'recorded study');
  });
});

describeInChromium('default study', 'webgpu', (chromium) => {
  test('gives the recall of the recorded study on WebGPU when that is asked for', async () => {
    const page = await chromium.openPage('#backend=webgpu');
    await expect.poll(() => page.evaluate(() => window.keyhole.state().origin)).toBe('recorded');
    const recorded = await page.evaluate(() => window.keyhole.state());
    await page.context().close();
    // Without pinned methods, whose curves take software WebGPU longer than all else; the CPU's study above has them.
    const live = await chromium.openPage('#backend=webgpu&pin=none');
    // Not to the end: its time and the answers of its curve are of the study that goes on when a device is lost.
    await until(live, () => {
      const { origin, measurements } = window.keyhole.state();
      return origin === 'live' && Boolean(measurements?.freeRun && measurements.sweep);
    });
    const state = await live.evaluate(() => window.keyhole.state());
    await screenshot(live, 'webgpu-live');
    expectDefaultStudy(state, 'webgpu', ['esa']);
    const before = recorded.measurements?.layers ?? [];
    state.measurements?.layers.forEach(({ massRecall }, layer) => {
      expect(Math.abs(massRecall! - before[layer]!.massRecall!), `layer ${layer}`).toBeLessThan(5e-3);
    });
  });

  test('an adapter that computes in software is not chosen unasked', async () => {
    const page = await chromium.openPage('#task=single-needle&length=128&pin=none');
    await expect
      .poll(() => page.evaluate(() => window.keyhole.state().backend), { timeout: 30_000 })
      .toBe('cpu');
  });
});
