import { expect, test } from 'vitest';
import type { KeyholeState } from '../../src/page/contract';
import { describeInChromium } from './harness';

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
 * moment takes software WebGPU half a minute, so `npm test` tries three; KEYHOLE_EVERY_MOMENT=1 all ten.
 */
const everyMoment = [0, 150, 400, 800, 1200, 1800, 2500, 3500, 5000, 7000];
const moments = process.env.KEYHOLE_EVERY_MOMENT ? everyMoment : [150, 1200, 5000];

describeInChromium('a GPU that is lost in mid study', 'webgpu', (chromium) => {
  test.each(moments)('%i ms in: the study ends on the device after it, without an error', async (moment) => {
    const context = await chromium.browser.newContext();
    const page = await context.newPage();
    await page.route(/\/worker-[^/]*\.js/, async (route) => {
      const response = await route.fetch();
      await route.fulfill({ response, body: KEEP_DEVICES + (await response.text()) });
    });
    await page.goto(`${chromium.url}#backend=webgpu&task=single-needle&length=128&pin=none`);
    await page.waitForFunction(() => window.keyhole?.state().backend === 'webgpu', undefined, {
      timeout: 110_000,
    });
    await page.waitForTimeout(moment);
    const lost = await page.workers()[0]!.evaluate(() => {
      const { devices } = globalThis as unknown as { devices: GPUDevice[] };
      devices.at(-1)?.destroy();
      return devices.length;
    });
    expect(lost).toBe(1);
    // Not before the restart: a study that had ended already is run again, too.
    await page.waitForTimeout(1500);
    await page.waitForFunction(
      () => window.keyhole.state().origin === 'live' && window.keyhole.state().error === null,
      undefined,
      { timeout: 110_000 },
    );
    const state = await page.evaluate(() => window.keyhole.idle() as Promise<KeyholeState>);
    expect(state.error).toBeNull();
    // A link's length that is refused would run the default study, four times as long.
    expect(state.source).toMatchObject({ task: 'single-needle', tokens: 128 });
    expect(state.measurements?.layers).toHaveLength(8);
    expect(state.measurements?.sweep?.length).toBeGreaterThan(0);
  });
});
