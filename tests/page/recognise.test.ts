import { describe, expect, it } from 'vitest';
import { writeSafetensors } from '../../src/model/files/safetensors-writer';
import type { GivenFile } from '../../src/page/given-models';
import { recognise } from '../../src/page/recognise';

const given = (path: string, content: BlobPart = '{}'): GivenFile => ({
  path,
  file: new File([content], path.slice(path.lastIndexOf('/') + 1)),
});
const tensor = { dtype: 'I32' as const, shape: [1, 2], data: Int32Array.of(0, 1) };
const safetensors = (name: string, metadata: Record<string, string> = {}): BlobPart =>
  writeSafetensors({ [name]: tensor }, metadata);

describe('what is given', () => {
  it.each<[string, string[], string, string[]]>([
    [
      'a folder',
      ['tiny/config.json', 'tiny/model.safetensors', 'tiny/.DS_Store', 'tiny/sub/other.txt'],
      'tiny',
      ['config.json', 'model.safetensors', 'sub/other.txt'],
    ],
    [
      'loose files',
      ['tokenizer.json', 'my.safetensors', 'config.json'],
      'my',
      ['config.json', 'model.safetensors', 'my.safetensors', 'tokenizer.json'],
    ],
    [
      'shards',
      ['m/config.json', 'm/model.safetensors.index.json', 'm/a.safetensors', 'm/b.safetensors'],
      'm',
      ['a.safetensors', 'b.safetensors', 'config.json', 'model.safetensors.index.json'],
    ],
    [
      'a folder inside another',
      ['out/readme.md', 'out/m/config.json', 'out/m/model.safetensors', 'out/m/old/config.json'],
      'm',
      ['config.json', 'model.safetensors', 'old/config.json'],
    ],
    [
      'with a calibration',
      ['config.json', 'model.safetensors', 'keyhole-calibration.safetensors'],
      'model',
      ['config.json', 'keyhole-calibration.safetensors', 'model.safetensors'],
    ],
  ])('is a model: %s', async (_, paths, name, inside) => {
    const found = await recognise(paths.map((path) => given(path)));
    expect(found).toMatchObject({ kind: 'model', name });
    expect(found.kind === 'model' && [...found.files.keys()].sort()).toEqual(inside);
  });

  it.each(['mine.safetensors', 'mine.bin'])('is a file of kept keys: %s', async (name) => {
    const file = given(name, safetensors('kept.0'));
    expect(await recognise([file])).toEqual({ kind: 'kept', file: file.file });
  });

  it.each<[string, GivenFile[]]>([
    ['tiny-q4.gguf', [given('tiny-q4.gguf', 'GGUF…')]],
    ['tiny.gguf', [given('tiny', 'GGUF…')]],
    ['b.gguf', [given('a/readme.md'), given('a/b.gguf', 'GGUF…')]],
  ])('is a GGUF model: %s', async (name, files) => {
    const found = await recognise(files);
    expect(found).toEqual({ kind: 'model', name, files: new Map([['model.gguf', files.at(-1)!.file]]) });
  });

  it.each<[string, GivenFile[], string]>([
    [
      'a shard',
      [given('m-00001-of-00002.gguf', 'GGUF…')],
      '"m-00001-of-00002.gguf" is a part of a model: put the parts together with llama-gguf-split --merge, then give the whole.',
    ],
    ['nothing', [], 'There is no file in what was given.'],
    [
      'a picture',
      [given('a.png', 'PNG')],
      '"a.png" is nothing that can be opened here: a model folder (config.json, safetensors, tokenizer.json), a GGUF file, or a file of kept keys.',
    ],
    [
      'weights alone',
      [given('w.safetensors', safetensors('model.norm.weight'))],
      '"w.safetensors" holds a model’s weights: give config.json and tokenizer.json of its folder with it, or the folder.',
    ],
    [
      'a capture',
      [given('c.safetensors', safetensors('query.0', { format: 'keyhole-capture-1' }))],
      '"c.safetensors" is a capture, which the command line reads: keyhole select --capture FILE.',
    ],
    [
      'a damaged file',
      [given('w.safetensors', 'none')],
      '"w.safetensors" is 4 bytes long, too short for a header.',
    ],
    [
      'a config alone',
      [given('m/config.json')],
      '"m/" has a config.json and no weights beside it: give model.safetensors, or model.safetensors.index.json and its files, as well.',
    ],
    [
      'two models',
      [given('a/config.json'), given('b/config.json')],
      'There are several models in what was given: give the folder of one.',
    ],
    [
      'many files',
      [given('a.txt'), given('b.txt')],
      'None of the 2 files is a config.json: give the folder of one model, one GGUF file, or one file of kept keys.',
    ],
  ])('is refused in a sentence: %s', async (_, files, sentence) => {
    await expect(recognise(files)).rejects.toMatchObject({ name: 'UserError', message: sentence });
  });
});
