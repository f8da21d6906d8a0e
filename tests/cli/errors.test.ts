import { mkdtempSync, readFileSync } from 'node:fs';
import { describe, it } from 'vitest';
import { writeSafetensors } from '../../src/model/files/safetensors-writer';
import { inputs } from '../methods/fixture';
import { CAPTURE_FIXTURE, MODEL_FIXTURE, openCommandLine } from './keyhole';

const { path, write, fail } = openCommandLine();

const ids = write('ids.json', '[1, 2, 3, 4, 5, 6, 7, 8]');
const words = write('words.txt', 'The harbour was quiet.');
const out = ['--out', path('never.safetensors')];
const model = ['--model', MODEL_FIXTURE, '--ids-file', ids];
const capture = ['--capture', CAPTURE_FIXTURE];
const streaming = ['--method', 'streaming-llm'];
const forward = (...args: string[]): string[] => ['forward', '--backend', 'cpu', ...args];
const select = (...args: string[]): string[] => ['select', '--backend', 'cpu', ...args];
const sweep = (...args: string[]): string[] => ['sweep', '--backend', 'cpu', ...args];

/** The fixtures' capture, cut down to its first layer, with other metadata. */
function captureWith(name: string, metadata: Record<string, string>, omit: readonly string[] = []): string {
  const names = ['query.0', 'key.0', 'value.0'].filter((tensor) => !omit.includes(tensor));
  const tensors = names.map((tensor) => {
    const value = { dtype: 'F32' as const, shape: inputs.shape(tensor), data: inputs.float32(tensor) };
    return [tensor, value];
  });
  return write(name, writeSafetensors(Object.fromEntries(tensors), metadata));
}

type Case = readonly [what: string, pattern: RegExp, args: () => string[]];

const cases: Record<string, Case[]> = {
  'the command line': [
    ['an unknown verb', /no verb "frobnicate".*forward, select, sweep/, () => ['frobnicate']],
    ['a verb of every object', /no verb "constructor"/, () => ['constructor']],
    ['an unknown option', /forward has no option --txt/, () => forward(...model, '--txt', 'a', ...out)],
    ['an option of another verb', /forward has no option --keep/, () => forward('--keep=1', ...out)],
    ['a value without an option', /could not read its options/, () => forward('text.txt', ...out)],
    ['an option without a value', /--out needs a value after it/, () => forward(...model, '--out')],
    ['a missing --out', /forward needs --out/, () => forward(...model)],
    ['a missing --method', /select needs --method/, () => select(...capture, ...out)],
    ['a missing --model', /forward needs --model/, () => forward('--ids-file', ids, ...out)],
    ['a missing --keep', /sweep needs --keep/, () => sweep(...capture, '--methods', 'esa', ...out)],
    [
      'an empty list',
      /--methods needs at least one value/,
      () => sweep(...capture, '--methods', ',', '--keep', '1', ...out),
    ],
    [
      'an unknown backend',
      /--backend must be auto, cpu or webgpu, not "gpu"/,
      () => ['forward', ...model, ...out, '--backend', 'gpu'],
    ],
  ],
  'where attention comes from': [
    [
      'both',
      /either --capture FILE, or --model DIR/,
      () => select(...capture, ...model, ...streaming, ...out),
    ],
    ['neither', /either --capture FILE, or --model DIR/, () => select(...streaming, ...out)],
    ['two texts', /Give the text once/, () => forward(...model, '--text', words, ...out)],
    ['no text', /Give the text once/, () => forward('--model', MODEL_FIXTURE, ...out)],
  ],
  files: [
    [
      'no such capture',
      /nowhere\.safetensors cannot be read: there is no such file/,
      () => select('--capture', 'nowhere.safetensors', ...streaming, ...out),
    ],
    [
      'no such text',
      /nowhere\.txt cannot be read/,
      () => forward('--model', 'samples/model', '--text', 'nowhere.txt', ...out),
    ],
    [
      'no such model',
      /nowhere is no model folder/,
      () => forward('--model', 'nowhere', '--ids-file', ids, ...out),
    ],
    [
      'a folder as text',
      /it is a folder/,
      () => forward('--model', 'samples/model', '--text', 'src', ...out),
    ],
    ['a text as capture', /words\.txt/, () => select('--capture', words, ...streaming, ...out)],
    [
      'a cut-off capture',
      /cut\.safetensors/,
      () => {
        const bytes = readFileSync(CAPTURE_FIXTURE).subarray(0, 100_000);
        return select('--capture', write('cut.safetensors', bytes), ...streaming, ...out);
      },
    ],
    [
      'an output in no folder',
      /cannot be written: there is no such folder/,
      () => select(...capture, ...streaming, '--out', path('no-folder/out.safetensors')),
    ],
    [
      'a folder as output',
      /cannot be written: it is a folder/,
      () => select(...capture, ...streaming, '--out', mkdtempSync(path('folder-'))),
    ],
  ],
  captures: [
    [
      'a wrong format',
      /keyhole-capture-2/,
      () =>
        select(
          '--capture',
          captureWith('v2.safetensors', { format: 'keyhole-capture-2' }),
          ...streaming,
          ...out,
        ),
    ],
    [
      'a missing tensor',
      /lacks tensor key\.0/,
      () =>
        select(
          ...['--capture', captureWith('half.safetensors', { format: 'keyhole-capture-1' }, ['key.0'])],
          ...[...streaming, ...out],
        ),
    ],
    [
      'no way to un-rotated tensors',
      /esa needs queries and keys before rotation/,
      () =>
        select(
          ...['--capture', captureWith('rotated.safetensors', { format: 'keyhole-capture-1' })],
          ...['--method', 'esa', ...out],
        ),
    ],
  ],
  'token ids and texts': [
    [
      'an id that the model does not know',
      /Token 2 is 128; this model knows ids from 0 to 127/,
      () => forward('--model', MODEL_FIXTURE, '--ids-file', write('high.json', '[1, 2, 128]'), ...out),
    ],
    [
      'an id that no number of 64 bits holds, as the file has it',
      /Token 2 is 1e999; this model knows ids from 0 to 127/,
      () => forward('--model', MODEL_FIXTURE, '--ids-file', write('vast.json', '[1, 2, 1e999]'), ...out),
    ],
    [
      'half an id',
      /Token 0 is 1\.5/,
      () => forward('--model', MODEL_FIXTURE, '--ids-file', write('half.json', '[1.5]'), ...out),
    ],
    [
      'an id in words',
      /Token 1 is "2"/,
      () => forward('--model', MODEL_FIXTURE, '--ids-file', write('words.json', '[1, "2"]'), ...out),
    ],
    [
      'no ids',
      /There is no token/,
      () => forward('--model', MODEL_FIXTURE, '--ids-file', write('none.json', '[]'), ...out),
    ],
    [
      'an object',
      /must hold a JSON array of token ids/,
      () => forward('--model', MODEL_FIXTURE, '--ids-file', write('object.json', '{"ids": [1]}'), ...out),
    ],
    [
      'bad JSON over several lines',
      /bad\.json is not valid JSON/,
      () => forward('--model', MODEL_FIXTURE, '--ids-file', write('bad.json', '[1,\n2,\nthree]\n'), ...out),
    ],
    [
      'bad JSON that would clear the screen',
      /clear\.json is not valid JSON/,
      () => forward('--model', MODEL_FIXTURE, '--ids-file', write('clear.json', '[\x1b[2J]'), ...out),
    ],
    [
      'an empty text',
      /empty\.txt is empty/,
      () => forward('--model', 'samples/model', '--text', write('empty.txt', ''), ...out),
    ],
    [
      'bytes that are no text',
      /is not UTF-8/,
      () => forward('--model', 'samples/model', '--text', CAPTURE_FIXTURE, ...out),
    ],
    [
      'a start token before ids',
      /--start-token is about a text; with token ids or a capture, leave it out/,
      () =>
        forward('--model', MODEL_FIXTURE, '--ids-file', write('one.json', '[1]'), '--start-token', ...out),
    ],
    [
      'a start token that is to be there and not',
      /--start-token and --no-start-token contradict each other/,
      () => forward('--model', 'samples/model', '--text', words, '--start-token', '--no-start-token', ...out),
    ],
    [
      'a text for a model without tokenizer',
      /has no tokenizer\.json, so it cannot read text; .* Token ids .* \(--ids-file\)/,
      () => forward('--model', MODEL_FIXTURE, '--text', words, ...out),
    ],
  ],
  'methods and parameters': [
    ['an unknown method', /no method "sparse"/, () => select(...capture, '--method', 'sparse', ...out)],
    [
      'bad JSON',
      /--params is not valid JSON/,
      () => select(...capture, ...streaming, '--params', '{keepFraction: 1}', ...out),
    ],
    [
      'a list',
      /--params must be a JSON object/,
      () => select(...capture, ...streaming, '--params', '[1]', ...out),
    ],
    [
      'an unknown parameter',
      /streaming-llm has no parameter "keep"; it has: keepFraction/,
      () => select(...capture, ...streaming, '--params', '{"keep": 0.5}', ...out),
    ],
    [
      'a fraction over 1',
      /streaming-llm: keepFraction/,
      () => select(...capture, ...streaming, '--params', '{"keepFraction": 1.5}', ...out),
    ],
    [
      'a count below 0',
      /esa: selectedTokens/,
      () => select(...capture, '--method', 'esa', '--params', '{"selectedTokens": -1}', ...out),
    ],
    [
      'an unknown choice',
      /esa: projection must be one of exact, closed-form, learned, not "random"/,
      () => select(...capture, '--method', 'esa', '--params', '{"projection": "random"}', ...out),
    ],
    [
      'too few layers',
      /sinkTokens has 2 values for 4 layers/,
      () => select(...capture, ...streaming, '--params', '{"sinkTokens": [4, 4]}', ...out),
    ],
    [
      'parameters of a method that is not asked for',
      /--params is about "lagkv"/,
      () => sweep(...capture, '--methods', 'esa', '--keep', '0.5', '--params', '{"lagkv": {}}', ...out),
    ],
    [
      'a list for a method',
      /--params must hold an object of parameters for h2o/,
      () => sweep(...capture, '--methods', 'h2o', '--keep', '0.5', '--params', '{"h2o": []}', ...out),
    ],
    [
      'a keep of 0',
      /--keep holds fractions above 0/,
      () => sweep(...capture, '--methods', 'full', '--keep', '0.5,0', ...out),
    ],
    [
      'a keep in words',
      /--keep must be numbers/,
      () => sweep(...capture, '--methods', 'full', '--keep', 'half', ...out),
    ],
    [
      'a layer that is not there',
      /no layer 4 in this source; it has 0, 1, 2, 3/,
      () => sweep(...capture, '--methods', 'full', '--keep', '1', '--layers', '0,4', ...out),
    ],
    [
      'queries past the end',
      /--queries must be a token from 0 to 191, not 192/,
      () => sweep(...capture, '--methods', 'full', '--keep', '1', '--queries', '192', ...out),
    ],
  ],
};

describe.each(Object.entries(cases))('one sentence about %s', (_, group) => {
  it.each(group)('%s', async (_what, pattern, args) => {
    await fail(pattern, ...args());
  });
});
