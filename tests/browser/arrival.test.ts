import { afterAll, beforeAll, expect, test } from 'vitest';
import type { KeyholeState } from '../../src/page/contract';
import { type MisbehavingServer, type Mode, startServer } from '../arrival/server';
import { describeInChromium, follow, idle, until } from './harness';

/** A method that costs little: it is not what these tests are about. */
const STUDY = 'task=single-needle&length=128&pin=none&method=streaming-llm';
/** A pattern whose matching takes longer than anybody waits. */
const bomb = JSON.stringify({
  ...{
    version: '1.0',
    truncation: null,
    padding: null,
    added_tokens: [],
    post_processor: null,
    decoder: null,
  },
  normalizer: { type: 'Replace', pattern: { Regex: '(.*)*\\u0001' }, content: '' },
  pre_tokenizer: null,
  model: { type: 'BPE', vocab: { a: 0 }, merges: [], unk_token: 'a' },
});

const linkTo = (server: MisbehavingServer, mode: Mode): string =>
  `model=${encodeURIComponent(server.address(mode))}&${STUDY}`;

describeInChromium('own models', 'cpu', (chromium) => {
  let server: MisbehavingServer;
  beforeAll(async () => {
    server = await startServer();
  });
  afterAll(() => server.close());
  /** Requests to the model's server are what these tests are about. */
  const forgiveRequests = (): void => {
    const others = chromium.problems
      .splice(0)
      .filter((problem) => !/127\.0\.0\.1:\d+\/[\w-]+\//.test(problem));
    chromium.problems.push(...others);
  };

  test('that stalls, one that is endless, one with a tokenizer that never ends: Cancel ends each, and the bundled study runs', async () => {
    const other = await startServer({ 'tokenizer.json': bomb });
    try {
      const page = await chromium.openPage(linkTo(server, 'stalls'));
      const load = page.getByRole('button', { name: 'Load this model' });
      const cancel = page.getByRole('button', { name: 'Cancel' });
      await load.click();
      await page.getByText(/loading http:.*MB/).waitFor();
      await cancel.click();
      await follow(page, linkTo(server, 'endless'));
      await load.click();
      await page.getByText(/loading http:.*\/endless.*MB/).waitFor();
      await cancel.click();
      await follow(page, linkTo(other, 'sound'));
      await load.click();
      await expect.poll(() => other.asked.some((path) => path.endsWith('tokenizer.json'))).toBe(true);
      await page.waitForTimeout(1000);
      await cancel.click();
      await follow(page, STUDY);
      await until(page, () => window.keyhole.state().origin === 'live');
      const state = await page.evaluate(() => window.keyhole.state());
      expect(state.error).toBeNull();
      expect(state.measurements?.layers).toHaveLength(8);
      forgiveRequests();
    } finally {
      await other.close();
    }
  });

  test('that come from another host: it is named and asked about once', async () => {
    const page = await chromium.openPage(linkTo(server, 'other-host'));
    await page.getByRole('button', { name: 'Load this model' }).click();
    await page.getByText(server.otherHost).waitFor();
    const asked = await idle<KeyholeState>(page);
    expect(asked.error).toContain(
      `another host, ${server.otherHost}; nothing is read from there until somebody`,
    );
    await page.getByRole('button', { name: 'Load from this host' }).click();
    await until(page, () => window.keyhole.state().origin === 'live');
    const weights = server.asked.filter((path) => path === '/sound/model.safetensors');
    // Headers only for each worker that comes before the answer, then once whole: both share it.
    expect(weights.length).toBeGreaterThanOrEqual(2);
    expect(weights.length).toBeLessThanOrEqual(3);
    forgiveRequests();
  });
});

describeInChromium('workers', 'cpu', (chromium) => {
  test('a worker that ends without a word is noticed, and the next study runs', async () => {
    const context = await chromium.browser.newContext();
    const page = await context.newPage();
    await page.addInitScript(() => {
      const { Worker } = window;
      const workers: Worker[] = [];
      Object.assign(window, { workers });
      window.Worker = class extends Worker {
        constructor(...how: ConstructorParameters<typeof Worker>) {
          super(...how);
          workers.push(this);
        }
      };
    });
    // Long enough that its reading is seen; it never ends.
    await page.goto(`${chromium.url}#task=single-needle&length=1024&pin=none&method=streaming-llm`);
    await page.getByText(/full attention: /).waitFor();
    await page.evaluate(() => {
      for (const worker of (window as unknown as { workers: Worker[] }).workers) worker.terminate();
    });
    const state = await idle<KeyholeState>(page);
    expect(state.error).toBe('The engine stopped: its worker ended without a word.');
    await follow(page, STUDY);
    await until(page, () => window.keyhole.state().origin === 'live');
  });

  test('a browser without them is told in one sentence', async () => {
    const context = await chromium.browser.newContext();
    const page = await context.newPage();
    await page.addInitScript(() => {
      delete (window as { Worker?: unknown }).Worker;
    });
    await page.goto(`${chromium.url}#${STUDY}`);
    const state = await idle<KeyholeState>(page);
    expect(state.error).toMatch(/^This browser has no module workers, [^\n]+\.$/);
    await page.getByText('This browser has no module workers').waitFor();
  });
});
