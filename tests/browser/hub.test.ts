import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Page } from 'playwright-core';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { root } from '../../scripts/setup.mjs';
import type { KeyholeState } from '../../src/page/contract';
import { COMMIT, type HubServer, startHub } from '../arrival/hub/server';
import { describeInChromium, idle, screenshot, until } from './harness';

/** A method that costs little: it is not what this is about. */
const STUDY = 'task=single-needle&length=128&pin=none&method=streaming-llm';
const WEIGHTS = 'model.safetensors';
const PART = 2 ** 21;

describeInChromium('a model of a hub', 'cpu', (chromium) => {
  let hub: HubServer;
  beforeAll(async () => {
    const names = ['config.json', 'tokenizer.json', 'tokenizer_config.json', WEIGHTS];
    const files = names.map((name) => [name, readFileSync(join(root, 'samples/model', name))]);
    hub = await startHub(Object.fromEntries(files), { largeBytes: 1e6 });
  });
  afterAll(() => hub.close());

  const openForm = async (page: Page): Promise<void> => {
    await page.getByRole('button', { name: /^Model: / }).click();
    await page.getByRole('tab', { name: 'Hub' }).click();
  };
  const lookUp = async (page: Page, name: string): Promise<void> => {
    await page.getByRole('textbox', { name: 'Model' }).fill(name);
    await page.getByRole('button', { name: 'Look it up' }).click();
  };
  const timesAsked = (): number => hub.asked.length;
  const weightsAsked = (): string[] =>
    hub.asked.filter((asked) => asked.startsWith('other ') && asked.includes(WEIGHTS));
  /** Requests to the hub are what this is about, and that some fail. */
  const forgiveRequests = (): void => {
    const others = chromium.problems
      .splice(0)
      .filter((problem) => !/127\.0\.0\.1:\d+\/(api|owner)\//.test(problem));
    chromium.problems.push(...others);
  };

  test('is looked up, downloaded, goes on after a reload and a drop, opens without a request, is deleted; a token goes to the hub alone', async () => {
    const settings = JSON.stringify({ address: hub.address, hosts: [hub.otherHost] });
    // It asks, and so runs nothing meanwhile.
    const page = await chromium.openPage(`model=hub:owner/name@main&${STUDY}`, {
      prepare: (empty) =>
        empty.addInitScript((value) => localStorage.setItem('keyhole hub', value), settings),
    });
    await page.getByText(/This link asks for the model of the hub/).waitFor();
    expect(timesAsked(), 'nothing is asked before the form').toBe(0);
    await openForm(page);
    await page.getByText('Qwen/Qwen3-0.6B').waitFor();
    await screenshot(page, 'model-form');
    expect(timesAsked(), 'nor by it').toBe(0);
    await lookUp(page, 'owner/name');
    await page.getByText(/7\.22\sMB in 4 files\. .* of memory at 128 tokens, computed\./).waitFor();
    expect(timesAsked(), 'the list and config.json').toBe(2);

    hub.faults.set(WEIGHTS, { slow: 40 });
    await page.getByRole('button', { name: /^Download .* and open$/ }).click();
    await page.getByText(/[1-9][\d.]*\sMB of 7\.22\sMB, .*\/s, \d+ s left/).waitFor();
    await screenshot(page, 'model-download');
    await page.getByRole('button', { name: 'Pause' }).click();
    await page.getByText(/ of 7\.22\sMB, paused/).waitFor();
    await page.reload();
    const asking = await idle<KeyholeState>(page);
    expect(asking.error).toBe(
      `This link asks for the model of the hub owner/name at ${COMMIT.slice(0, 7)}; nothing is downloaded until somebody chooses "Load this model" on the page.`,
    );
    hub.faults.set(WEIGHTS, { dropAfter: PART, drops: 1 });
    await page.getByRole('button', { name: 'Load this model' }).click();
    await until(page, () => window.keyhole.state().modelDigest !== null);
    const begins = weightsAsked().map((asked) => Number(/bytes=(\d+)-/.exec(asked)?.[1] ?? 0));
    expect(begins).toHaveLength(3);
    expect(begins[1]).toBeGreaterThan(0);
    // Of what was sent some may be lost with the connection; what came is not asked for again.
    expect(begins[2]).toBeGreaterThanOrEqual(begins[1]!);
    expect(begins[2]).toBeLessThanOrEqual(begins[1]! + PART);

    const before = timesAsked();
    await page.reload();
    await until(page, () => window.keyhole.state().origin === 'live');
    expect(timesAsked()).toBe(before);
    await openForm(page);
    await page.getByText(/^7\.22\sMB · used /).waitFor();
    await page.getByRole('button', { name: /^Delete owner\/name/ }).click();
    await page.getByRole('region', { name: 'Kept in this browser' }).waitFor({ state: 'detached' });
    const left = await page.evaluate(async () => {
      const folder = await (await navigator.storage.getDirectory()).getDirectoryHandle('models');
      const names: string[] = [];
      for await (const [name] of folder.entries()) names.push(name);
      return names;
    });
    expect(left).toEqual([]);

    await lookUp(page, 'owner/gated');
    await page.getByText(/"owner\/gated" is gated: agree to its terms/).waitFor();
    await page.getByText(/^Hub and token/).click();
    await page.getByLabel('Token', { exact: true }).fill('token-of-a-test');
    await page.getByRole('button', { name: 'Use this token' }).click();
    await lookUp(page, 'owner/gated');
    hub.faults.set(WEIGHTS, { slow: 40 });
    await page.getByRole('button', { name: /^Download .* and open$/ }).click();
    await vi.waitUntil(() => weightsAsked().some((asked) => asked.includes('owner/gated')), {
      timeout: 20_000,
    });
    expect(
      hub.asked.some(
        (asked) => asked.startsWith('hub /owner/gated/') && asked.endsWith('Bearer token-of-a-test'),
      ),
    ).toBe(true);
    expect(weightsAsked().filter((asked) => asked.includes('token'))).toEqual([]);
    await page.getByRole('button', { name: 'Cancel' }).last().click();
    await page
      .getByText(/The download of "owner\/gated" was cancelled/)
      .first()
      .waitFor();
    await screenshot(page, 'model-gated');
    const kept = await page.evaluate(
      () => JSON.stringify({ ...localStorage, ...sessionStorage }) + location.href,
    );
    expect(kept).not.toContain('token-of-a-test');
    forgiveRequests();
  });
});
