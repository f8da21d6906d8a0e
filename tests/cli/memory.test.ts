import { readFileSync, rmSync } from 'node:fs';
import { expect, it } from 'vitest';
import { type TensorToWrite, writeSafetensors } from '../../src/model/files/safetensors-writer';
import { draw, lcg } from '../golden/lcg';
import { MODEL_FIXTURE, openCommandLine } from './keyhole';

const { path, write, keyhole, succeed, tensors } = openCommandLine();
const ids = write('ids.json', JSON.stringify(Array.from({ length: 4000 }, (_, i) => i % 100)));
const few = write('few.json', JSON.stringify([1, 2, 3]));

it.each([
  ['forward', []],
  ['sweep', ['--methods', 'random', '--keep', '0.5']],
  ['select', ['--method', 'random', '--params', '{}']],
])('what --memory has no room for is refused at once, with what would fit: %s', async (verb, more) => {
  const source = ['--model', 'samples/model', '--ids-file', ids, '--backend', 'cpu'];
  const out = path(`${verb}.out`);
  const { code, stderr } = await keyhole(verb, ...source, ...more, '--memory', '32', '--out', out);
  expect(code).toBe(1);
  expect(stderr).toMatch(
    /^4,000 tokens of this model need \d+ MiB and 32 MiB are allowed on this device; use at most [\d,]+ tokens\.\n$/,
  );
});

it('a model without room is refused, too, and --memory is a number', async () => {
  const rest = ['--model', 'samples/model', '--ids-file', few, '--backend', 'cpu', '--out', path('few.out')];
  const { stderr } = await keyhole('forward', ...rest, '--memory', '4');
  expect(stderr).toMatch(
    /^The model's weights need 6.8 MiB and 4.0 MiB are allowed on this device; choose a smaller model\.\n$/,
  );
  for (const wrong of ['0', 'much', '1.5']) {
    const { stderr: sentence } = await keyhole('forward', ...rest, '--memory', wrong);
    expect(sentence).toBe(`--memory must be a whole number of at least 1, not "${wrong}".\n`);
  }
});

it('what has room runs', async () => {
  const source = ['--model', MODEL_FIXTURE, '--ids-file', few, '--backend', 'cpu'];
  await succeed('few.safetensors', 'forward', ...source, '--memory', '2');
});

it('layers of a capture that has no room come one after another, with the same results', async () => {
  const [heads, tokens, channels] = [4, 256, 16];
  const next = lcg(5);
  const parts: Record<string, TensorToWrite> = {};
  for (const layer of [0, 1, 2, 3, 4, 5]) {
    for (const [name, count] of Object.entries({ query: heads, key: heads / 2, value: heads / 2 })) {
      const data = draw(next, count * tokens * channels);
      parts[`${name}.${layer}`] = { dtype: 'F32', shape: [count, tokens, channels], data };
    }
  }
  // Four layers fit one MiB.
  const capture = write('large.safetensors', writeSafetensors(parts, { rope_theta: '10000' }));
  const source = ['--capture', capture, '--backend', 'cpu'];
  const methods = ['--methods', 'streaming-llm,chunkkv', '--keep', '0.25,0.5'];
  const results = [];
  for (const room of [[], ['--memory', '1']]) {
    const kept = path('kept.safetensors');
    const params = ['--params', '{"reuseLayers":2}'];
    await succeed('kept.safetensors', 'select', ...source, ...room, '--method', 'chunkkv', ...params);
    await succeed('sweep.json', 'sweep', ...source, ...room, ...methods);
    const chosen = tensors('kept.safetensors');
    results.push([
      chosen.names().map((name) => chosen.tensor(name).bytes()),
      readFileSync(path('sweep.json'), 'utf8'),
    ]);
    rmSync(kept);
    rmSync(path('sweep.json'));
  }
  expect(results[1]).toEqual(results[0]);
  const out = ['--out', path('loki.safetensors')];
  const { stderr } = await keyhole('select', ...source, '--memory', '1', '--method', 'loki', ...out);
  expect(stderr).toContain(
    "loki looks at every layer of a text before it chooses, and this device has room for 4 of the capture's 6 layers; use a capture of fewer layers or tokens, or another method.\n",
  );
});
