import { afterEach, beforeEach, expect, test } from 'vitest';
import { Arrivals, AskFirst, type FileRequest } from '../../src/arrival/arrivals';
import { UserError } from '../../src/base/user-error';
import { type MisbehavingServer, type Mode, startServer } from './server';

let server: MisbehavingServer;
let progress: [string, number, number | null][];
beforeEach(async () => {
  server = await startServer();
  progress = [];
});
afterEach(() => server.close());

const WEIGHTS_BYTES = 7_092_288;
const request = (mode: Mode, path = 'model.safetensors', limitBytes = 2 ** 30): FileRequest => ({
  ...{ model: server.address(mode), path, address: `${server.address(mode)}/${path}`, limitBytes },
});
const open = (keptBytes?: number): Arrivals =>
  new Arrivals({ keptBytes, stallMilliseconds: 2000, onProgress: (...said) => progress.push(said) });
const timesAsked = (path: string): number => server.asked.filter((asked) => asked === path).length;

test('a file is fetched once: two that ask at once share it, and who asks later has it', async () => {
  const arrivals = open();
  const [first, second] = await Promise.all([arrivals.get(request('slow')), arrivals.get(request('slow'))]);
  arrivals.shrink();
  const third = await arrivals.get(request('slow'));
  expect([first?.size, second?.size, third?.size]).toEqual([WEIGHTS_BYTES, WEIGHTS_BYTES, WEIGHTS_BYTES]);
  expect(timesAsked('/slow/model.safetensors')).toBe(1);
  expect(progress.at(-1)).toEqual([server.address('slow'), WEIGHTS_BYTES, WEIGHTS_BYTES]);
});

test('what failed or was stopped is fetched anew', async () => {
  const arrivals = open();
  await expect(arrivals.get(request('breaks-off'))).rejects.toBeInstanceOf(UserError);
  await expect(arrivals.get(request('breaks-off'))).rejects.toBeInstanceOf(UserError);
  expect(timesAsked('/breaks-off/model.safetensors')).toBe(2);
  const stopped = arrivals.get(request('stalls'));
  arrivals.abort();
  await expect(stopped).rejects.toMatchObject({ name: 'AbortError' });
});

test('a change of model stops the other’s files, not its own nor those that have come', async () => {
  const arrivals = open();
  await arrivals.get(request('sound'));
  const [mine, other] = [arrivals.get(request('slow')), arrivals.get(request('stalls'))];
  other.catch(() => {});
  arrivals.abort(server.address('slow'));
  await expect(other).rejects.toMatchObject({ name: 'AbortError' });
  expect((await mine)?.size).toBe(WEIGHTS_BYTES);
  await arrivals.get(request('sound'));
  expect(timesAsked('/sound/model.safetensors')).toBe(1);
});

test('more than may be taken is refused by its announced length, and as it comes', async () => {
  const arrivals = open();
  await expect(arrivals.get(request('announces-too-much'))).rejects.toThrow(
    "model.safetensors takes the model's files above 1,074 MB, and no more are allowed on this device; choose a smaller model.",
  );
  await expect(arrivals.get(request('endless', 'model.safetensors', 5e6))).rejects.toThrow('above 5.0 MB');
  // The files of a model count together.
  await arrivals.get(request('sound', 'keyhole-calibration.safetensors', 7.5e6));
  await expect(arrivals.get(request('sound', 'model.safetensors', 7.5e6))).rejects.toThrow('above 7.5 MB');
});

test('another host is asked about before its bytes, and once', async () => {
  const arrivals = open();
  const failure = await arrivals.get(request('other-host')).catch((error: unknown) => error);
  expect(failure).toBeInstanceOf(AskFirst);
  const { question } = failure as AskFirst;
  expect(question).toEqual({ kind: 'host', address: server.address('other-host'), host: server.otherHost });
  arrivals.agree(question);
  expect((await arrivals.get(request('other-host')))?.size).toBe(WEIGHTS_BYTES);
});

test('what is too large to keep comes a second time only after a click, with its size', async () => {
  const arrivals = open(1e6);
  await arrivals.get(request('sound'));
  await arrivals.get(request('sound', 'tokenizer.json'));
  // While a study runs, nothing is let go.
  await arrivals.get(request('sound'));
  arrivals.shrink();
  await arrivals.get(request('sound', 'tokenizer.json'));
  const failure = await arrivals.get(request('sound')).catch((error: unknown) => error);
  expect((failure as AskFirst).question).toEqual({
    ...{ kind: 'again', address: server.address('sound'), bytes: WEIGHTS_BYTES },
  });
  expect(timesAsked('/sound/model.safetensors')).toBe(1);
  arrivals.agree((failure as AskFirst).question);
  expect((await arrivals.get(request('sound')))?.size).toBe(WEIGHTS_BYTES);
  expect(timesAsked('/sound/tokenizer.json')).toBe(1);
});
