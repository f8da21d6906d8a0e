import type { Page } from 'playwright-core';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
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

describeInChromium('own models and workers', 'cpu', (chromium) => {
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

  /** `window.workers`: all that the program starts. */
  const keepWorkers = (page: Page): Promise<unknown> =>
    page.addInitScript(() => {
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

  // In one page: starting it and running a study take longer than all that is asked of it.
  test('a model that stalls, one that is endless, one with a tokenizer that never ends: Cancel ends each, and the bundled study begins; a worker that then ends without a word is noticed, and the next study runs', async () => {
    const other = await startServer({ 'tokenizer.json': bomb });
    try {
      const page = await chromium.openPage(linkTo(server, 'stalls'), { prepare: keepWorkers });
      const loading = (what: RegExp) => page.getByText(what).waitFor({ timeout: 20_000 });
      const isRead = async () => {
        const isAsked = () => other.asked.some((path) => path.endsWith('tokenizer.json'));
        await vi.waitUntil(isAsked, { timeout: 20_000 });
        // Until the matching has begun.
        await page.waitForTimeout(300);
      };
      for (const [name, link, hasBegun] of [
        ['stalls', linkTo(server, 'stalls'), () => loading(/loading http:.*\/stalls.*MB/)],
        ['endless', linkTo(server, 'endless'), () => loading(/loading http:.*\/endless.*MB/)],
        ['tokenizer', linkTo(other, 'sound'), isRead],
      ] as const) {
        if (name !== 'stalls') await follow(page, link);
        await page.getByRole('button', { name: 'Load this model' }).click();
        const seen = await hasBegun().then(
          () => 'seen',
          (error: Error) => error.message,
        );
        // Soft: one that is not seen to begin hides none of the others.
        expect.soft(seen, name).toBe('seen');
        await page.getByRole('button', { name: 'Cancel' }).click();
      }
      // They end the moment that reading is said to go on, which may be shorter than anybody looks.
      await page.evaluate(() => {
        const { workers } = window as unknown as { workers: Worker[] };
        const observer = new MutationObserver(() => {
          if (!document.body.textContent?.includes('full attention: ')) return;
          observer.disconnect();
          for (const worker of workers) worker.terminate();
        });
        observer.observe(document.body, { subtree: true, childList: true, characterData: true });
      });
      await follow(page, STUDY.replace('length=128', 'length=1024'));
      const ended = await idle<KeyholeState>(page);
      expect.soft(ended.error).toBe('The engine stopped: its worker ended without a word.');
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

  test('a model that comes from another host: it is named and asked about once', async () => {
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

  test('a browser without workers is told in one sentence', async () => {
    const page = await chromium.openPage(STUDY, {
      prepare: (empty) => empty.addInitScript(() => delete (window as { Worker?: unknown }).Worker),
    });
    const state = await idle<KeyholeState>(page);
    expect(state.error).toMatch(/^This browser has no module workers, [^\n]+\.$/);
    await page.getByText('This browser has no module workers').waitFor();
  });
});
