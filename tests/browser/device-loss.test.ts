import type { Page, Worker } from 'playwright-core';
import { expect, test } from 'vitest';
import type { KeyholeState } from '../../src/page/contract';
import { describeInChromium, until } from './harness';

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
 * moment takes software WebGPU half a minute, so `npm test` tries one of them, and the others one after the other;
 * KEYHOLE_EVERY_MOMENT=1 all ten.
 */
const everyMoment = [0, 150, 400, 800, 1200, 1800, 2500, 3500, 5000, 7000];
const moments = process.env.KEYHOLE_EVERY_MOMENT ? everyMoment : [1200];

describeInChromium('a GPU that is lost in mid study', 'webgpu', (chromium) => {
  async function openStudy(): Promise<Page> {
    const context = await chromium.browser.newContext();
    const page = await context.newPage();
    await page.route(/\/worker-[^/]*\.js/, async (route) => {
      const response = await route.fetch();
      await route.fulfill({ response, body: KEEP_DEVICES + (await response.text()) });
    });
    await page.goto(`${chromium.url}#backend=webgpu&task=single-needle&length=128&pin=none`);
    return page;
  }

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

  async function expectStudy(page: Page, backend: 'webgpu' | 'cpu'): Promise<void> {
    // Not before the restart: a study that had ended already is run again, too.
    await page.waitForTimeout(1500);
    await until(
      page,
      () => window.keyhole.state().origin === 'live' && window.keyhole.state().error === null,
    );
    const state = await page.evaluate(() => window.keyhole.idle() as Promise<KeyholeState>);
    expect(state.error).toBeNull();
    expect(state.backend).toBe(backend);
    // A link's length that is refused would run the default study, four times as long.
    expect(state.source).toMatchObject({ task: 'single-needle', tokens: 128 });
    expect(state.measurements?.layers).toHaveLength(8);
    expect(state.measurements?.sweep?.length).toBeGreaterThan(0);
  }

  test.each(moments)('%i ms in: the study ends on the device after it, without an error', async (moment) => {
    const page = await openStudy();
    await lose(page, moment);
    await expectStudy(page, 'webgpu');
  });

  test('150 ms in, and its successor 5000 ms in: the study ends on the CPU, without an error', async () => {
    const page = await openStudy();
    const first = await lose(page, 150);
    await lose(page, 5000, first);
    await expectStudy(page, 'cpu');
  });
});
