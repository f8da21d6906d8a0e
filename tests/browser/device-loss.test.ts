import type { Page, Worker } from 'playwright-core';
import { expect, test } from 'vitest';
import type { KeyholeState } from '../../src/page/contract';
import type { Measurements } from '../../src/study/results';
import { describeInChromium, follow, screenshot, until } from './harness';

/** In the worker, before its own code: devices can be reached from the test. */
const KEEP_DEVICES = `
  globalThis.devices = [];
  const request = GPUAdapter.prototype.requestDevice;
  GPUAdapter.prototype.requestDevice = async function (...how) {
    const device = await request.apply(this, how);
    globalThis.devices.push(device);
    return device;
  };
`;

/**
 * Milliseconds from the first word of progress after the start to the loss: while files come, texts are read, layers measured. A
 * moment takes software WebGPU half a minute, so `npm test` tries one of them; KEYHOLE_EVERY_MOMENT=1 all ten, one after the other.
 */
const everyMoment = [0, 150, 400, 800, 1200, 1800, 2500, 3500, 5000, 7000];
const moments = process.env.KEYHOLE_EVERY_MOMENT ? everyMoment : [1200];

const STUDY = 'backend=webgpu&task=single-needle&length=128&pin=none';

describeInChromium('WebGPU', 'webgpu', (chromium) => {
  test('an adapter that computes in software is not chosen unasked', async () => {
    // Of a model that is asked about first: no study begins.
    const page = await chromium.openPage('model=http://127.0.0.1:9/');
    await expect
      .poll(() => page.evaluate(() => window.keyhole.state().backend), { timeout: 30_000 })
      .toBe('cpu');
  });

  const openStudy = (): Promise<Page> =>
    chromium.openPage(STUDY, {
      prepare: (page) =>
        page.route(/\/worker-[^/]*\.js/, async (route) => {
          const response = await route.fetch();
          await route.fulfill({ response, body: KEEP_DEVICES + (await response.text()) });
        }),
    });

  /** Waits for a worker with a device other than `earlier`, and then for the moment; destroys the device. Gives the worker. */
  async function lose(page: Page, moment: number, earlier?: Worker): Promise<Worker> {
    const devicesOf = (worker: Worker): Promise<number> =>
      worker
        .evaluate(() => (globalThis as unknown as { devices: GPUDevice[] }).devices.length)
        .catch(() => 0);
    await until(page, () => window.keyhole?.state().backend === 'webgpu');
    let worker: Worker | undefined;
    await expect
      .poll(
        async () => {
          worker = page.workers().find((one) => one !== earlier);
          return worker ? devicesOf(worker) : 0;
        },
        { timeout: 110_000 },
      )
      .toBe(1);
    await until(page, () => window.keyhole.state().backend === 'webgpu');
    await page.waitForTimeout(moment);
    expect(await devicesOf(worker!)).toBe(1);
    await worker!.evaluate(() => (globalThis as unknown as { devices: GPUDevice[] }).devices[0]!.destroy());
    return worker!;
  }

  /** The measurements that a study ends with, on `backend`. */
  async function studied(page: Page, backend: 'webgpu' | 'cpu'): Promise<Measurements> {
    await until(
      page,
      () => window.keyhole.state().origin === 'live' && window.keyhole.state().error === null,
    );
    const state = await page.evaluate(() => window.keyhole.idle() as Promise<KeyholeState>);
    expect(state.error).toBeNull();
    expect(state.backend).toBe(backend);
    // A link's length that is refused would run the default study, four times as long.
    expect(state.source).toMatchObject({ task: 'single-needle', tokens: 128, seed: 7 });
    expect(state.measurements?.layers).toHaveLength(8);
    expect(state.measurements?.sweep?.length).toBeGreaterThan(0);
    return state.measurements!;
  }

  /** Until the study has begun again: one that had ended already is run again, too. */
  const restarted = (page: Page): Promise<void> => page.waitForTimeout(1500);

  test.each(moments)(
    'lost %i ms in, and again in the next study: the first ends on WebGPU with the recall that it has on the CPU, the next on the CPU',
    { timeout: 180_000 },
    async (moment) => {
      const page = await openStudy();
      const first = await lose(page, moment);
      await restarted(page);
      const webgpu = await studied(page, 'webgpu');
      await screenshot(page, 'webgpu');
      // The same text with a curve more: what was measured on WebGPU is measured again.
      await follow(page, STUDY.replace('pin=none', 'pin=streaming-llm(keepFraction:0.3)'));
      await lose(page, 300, first);
      await restarted(page);
      const cpu = await studied(page, 'cpu');
      expect(cpu.sweep!.length).toBeGreaterThan(webgpu.sweep!.length);
      expect.soft(webgpu.freeRun?.divergenceNats).toBeCloseTo(cpu.freeRun!.divergenceNats!, 4);
      webgpu.layers.forEach(({ massRecall, heads }, layer) => {
        const difference = Math.abs(massRecall! - cpu.layers[layer]!.massRecall!);
        expect.soft(difference, `layer ${layer}`).toBeLessThan(5e-3);
        expect.soft(heads, `layer ${layer}`).toHaveLength(6);
      });
      // Measured twice, and no numbers of an empty study.
      expect(webgpu.layers).not.toEqual(cpu.layers);
      expect(Math.min(...cpu.layers.map(({ massRecall }) => massRecall!))).toBeGreaterThan(0.3);
    },
  );
});
