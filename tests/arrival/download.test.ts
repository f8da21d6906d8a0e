import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type DownloadOptions, download, OtherHost } from '../../src/arrival/download';
import { isOwnHost } from '../../src/arrival/hosts';
import { megabytes } from '../../src/base/megabytes';
import { UserError } from '../../src/base/user-error';
import { fileBytes } from '../model/files';
import { type MisbehavingServer, type Mode, startServer } from './server';

let server: MisbehavingServer;
beforeAll(async () => {
  server = await startServer();
});
afterAll(() => server.close());

const weights = fileBytes('samples/model/model.safetensors');
const fetchWeights = (mode: Mode, options: Partial<DownloadOptions> = {}): Promise<Blob | null> =>
  download('model.safetensors', `${server.address(mode)}/model.safetensors`, {
    signal: new AbortController().signal,
    check: () => {},
    onBytes: () => {},
    isAgreed: () => false,
    stallMilliseconds: 400,
    ...options,
  });

test.each(['sound', 'slow', 'moves'] as const)('%s: the whole file, its bytes counted', async (mode) => {
  const counts: [number, number | null][] = [];
  // All of the slow file takes longer than what may pass without a byte, each part a twentieth of it.
  const blob = await fetchWeights(mode, {
    onBytes: (...count) => counts.push(count),
    stallMilliseconds: 2000,
  });
  expect(Buffer.from(await blob!.arrayBuffer()).equals(weights)).toBe(true);
  expect(counts[0]).toEqual([0, mode === 'slow' ? weights.length : expect.anything()]);
  expect(counts.at(-1)).toEqual([weights.length, weights.length]);
  expect(counts.length).toBeGreaterThan(2);
  for (const [i, [received]] of counts.entries()) {
    if (i > 0) expect(received).toBeGreaterThan(counts[i - 1]![0]);
  }
});

test.each([
  ['silent', /^model\.safetensors stopped coming from "[^"]+": no byte for 0\.4 seconds; run again,/],
  ['stalls', /stopped coming from "[^"]+" after 1\.0 of \d+(\.\d)? MB: no byte for 0\.4 seconds/],
  ['announces-more', /stopped coming from "[^"]+" after [\d.]+ of [\d.]+ MB/],
  ['breaks-off', /^model\.safetensors broke off after [\d.]+ of [\d.]+ MB while it was fetched from "/],
  ['loops', /could not be fetched from "[^"]+"; check the address and connection\.$/],
  ['401', /: the server answered 401\.$/],
  ['500', /: the server answered 500\.$/],
] as const)('%s: one sentence', async (mode, sentence) => {
  const failure = await fetchWeights(mode).catch((error: unknown) => error);
  expect(failure).toBeInstanceOf(UserError);
  expect((failure as UserError).message).toMatch(sentence);
  expect((failure as UserError).message).toMatch(/^[^\n]+\.$/);
});

test.each(['404', 'page'] as const)('%s: there is no such file', async (mode) => {
  expect(await fetchWeights(mode)).toBeNull();
});

test('a length that is announced is checked before the body, one that is not as it comes', async () => {
  const check: DownloadOptions['check'] = (bytes) => {
    if (bytes > 3e6) throw new UserError(`${bytes} are too many.`);
  };
  await expect(fetchWeights('announces-too-much', { check })).rejects.toThrow(`${2 ** 43} are too many.`);
  let most = 0;
  const counted = fetchWeights('endless', { check, onBytes: (bytes) => (most = bytes) });
  await expect(counted).rejects.toThrow(/^3\d{6} are too many\.$/);
  expect(most).toBeLessThanOrEqual(3e6);
});

test.each(['silent', 'stalls', 'endless', 'announces-more', 'slow', 'loops'] as const)(
  '%s: ended at once by its signal, with the signal’s reason',
  async (mode) => {
    const controller = new AbortController();
    const fetched = fetchWeights(mode, { signal: controller.signal, stallMilliseconds: 60_000 });
    fetched.catch(() => {});
    if (mode !== 'loops') await new Promise((resolve) => setTimeout(resolve, 100));
    const reason = new Error('cancelled');
    controller.abort(reason);
    await expect(fetched).rejects.toBe(reason);
  },
);

describe('a redirect to another host', () => {
  test('is refused by name before a byte of the body is read, unless it was agreed to', async () => {
    let heard = 0;
    const refused = fetchWeights('other-host', { onBytes: () => heard++ });
    await expect(refused).rejects.toBeInstanceOf(OtherHost);
    await expect(refused).rejects.toMatchObject({ name: 'UserError', host: server.otherHost });
    expect(heard).toBe(0);
    const blob = await fetchWeights('other-host', { isAgreed: (host) => host === server.otherHost });
    expect(blob?.size).toBe(weights.length);
  });

  test.each([
    ['https://huggingface.co/a/b', 'https://cdn-lfs-us-1.hf.co/x', true],
    ['https://huggingface.co/a/b', 'https://cas-bridge.xethub.hf.co/x', true],
    ['https://huggingface.co/a/b', 'https://cdn-lfs.huggingface.co/x', true],
    ['https://huggingface.co/a/b', 'https://nothf.co/x', false],
    ['https://huggingface.co/a/b', 'https://hf.co.evil.org/x', false],
    ['https://huggingface.co/a/b', 'http://cdn-lfs.hf.co/x', false],
    ['https://huggingface.co/a/b', 'https://cdn-lfs.hf.co:8443/x', false],
    ['https://example.org/m', 'https://cdn-lfs.hf.co/x', false],
    ['https://example.org/m', 'https://cdn.example.org/x', false],
    ['http://example.org/m', 'https://example.org/x', true],
    ['https://example.org/m', 'http://example.org/x', false],
    ['http://127.0.0.1:1/m', 'http://127.0.0.1:2/x', false],
    ['http://127.0.0.1:1/m', 'http://127.0.0.1:1/x', true],
  ])('from %s to %s', (from, to, isOwn) => {
    expect(isOwnHost(new URL(from), new URL(to))).toBe(isOwn);
  });
});

test('sizes are told in megabytes', () => {
  expect([0, 123_456, 9_940_000, 9_960_000, 269e6, 14e9].map(megabytes)).toEqual([
    '0.0 MB',
    '0.1 MB',
    '9.9 MB',
    '10 MB',
    '269 MB',
    '14,000 MB',
  ]);
});
