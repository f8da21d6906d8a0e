import { expect, test } from 'vitest';
import type { KeyholeState } from '../../src/page/contract';
import { comparable, expectEqual } from './equal-states';
import { describeInChromium, idle, screenshot, until } from './harness';

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
    expectDefaultStudy(state, ['esa', 'oracle', 'streaming-llm', 'lagkv', 'random']);
    // The committed recording is what a fresh run on the CPU gives.
    expectEqual(comparable({ ...recorded, backend: 'cpu' }), comparable(state), 'recorded study');
  });
});

describeInChromium('a study', 'webgpu', (chromium) => {
  test('has on WebGPU, when that is asked for, the recall that it has on the CPU', async () => {
    const studied = async (backend: 'cpu' | 'webgpu') => {
      // A short text without pinned methods: software WebGPU takes a minute for the default study.
      const page = await chromium.openPage(`#backend=${backend}&sample=short&pin=none`);
      // Not to the end: its time and the answers of its curve are of the study that goes on when a device is lost.
      await until(page, () => {
        const { origin, measurements } = window.keyhole.state();
        return origin === 'live' && Boolean(measurements?.freeRun && measurements.sweep);
      });
      const state = await page.evaluate(() => window.keyhole.state());
      await screenshot(page, `${backend}-short`);
      await page.context().close();
      expect(state.error).toBeNull();
      expect(state.backend).toBe(backend);
      expect(state.measurements?.layers).toHaveLength(8);
      return state.measurements!;
    };
    const [cpu, webgpu] = [await studied('cpu'), await studied('webgpu')];
    expect(webgpu.freeRun?.divergenceNats).toBeCloseTo(cpu.freeRun!.divergenceNats!, 4);
    webgpu.layers.forEach(({ massRecall, heads }, layer) => {
      expect(Math.abs(massRecall! - cpu.layers[layer]!.massRecall!), `layer ${layer}`).toBeLessThan(5e-3);
      expect(heads).toHaveLength(6);
    });
    // Not the numbers of an empty study.
    expect(Math.min(...cpu.layers.map(({ massRecall }) => massRecall!))).toBeGreaterThan(0.3);
  });

  test('an adapter that computes in software is not chosen unasked', async () => {
    const page = await chromium.openPage('#task=single-needle&length=128&pin=none');
    await expect
      .poll(() => page.evaluate(() => window.keyhole.state().backend), { timeout: 30_000 })
      .toBe('cpu');
  });
});
