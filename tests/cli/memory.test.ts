import { expect, it } from 'vitest';
import { MODEL_FIXTURE, openCommandLine } from './keyhole';

const { path, write, keyhole, succeed } = openCommandLine();
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
    /^The model's weights need 14 MiB and 4.0 MiB are allowed on this device; choose a smaller model\.\n$/,
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
