import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { isUserError } from '../../../src/base/user-error';
import { bytesInMemory, type FileBytes } from '../../../src/model/files/file-bytes';
import { openGguf } from '../../../src/model/gguf/gguf';
import { readGgufHeader } from '../../../src/model/gguf/header';
import { type Written, writeGguf } from './written';

const fixture = (name: string) =>
  new Uint8Array(readFileSync(new URL(`../../fixtures/gguf/${name}`, import.meta.url)));
const header = (written: Written) => readGgufHeader(bytesInMemory('m.gguf', writeGguf(written)));
const F32 = 0;
const Q8_0 = 8;

describe('a header', () => {
  it('gives metadata, and tensors with their slowest axis first', async () => {
    const { metadata, tensors } = await header({
      metadata: [
        ['a', ['u32', 7]],
        ['b', ['text', '\ufeffwith a mark']],
        ['c', ['texts', ['', '\ufeff', '▁']]],
        ['d', ['u64', 2n ** 60n]],
      ],
      tensors: [
        { name: 'x', shape: [64, 3], type: Q8_0, offset: 0 },
        { name: 'y', shape: [5], type: F32, offset: 224 },
      ],
      dataBytes: 224 + 20,
    });
    expect([...metadata]).toEqual([
      ['a', 7],
      ['b', '\ufeffwith a mark'],
      ['c', ['', '\ufeff', '▁']],
      ['d', 2 ** 60],
    ]);
    const [x, y] = [tensors.get('x')!, tensors.get('y')!];
    expect([x.shape, x.type.name, x.end - x.begin]).toEqual([[3, 64], 'Q8_0', 204]);
    expect([y.shape, y.begin - x.begin, y.end - y.begin]).toEqual([[5], 224, 20]);
  });

  it('longer than what is read at first is read on', async () => {
    const texts = Array.from({ length: 60_000 }, (_, i) => `token ${i}`);
    const bytes = writeGguf({ metadata: [['tokens', ['texts', texts]]] });
    const read: number[] = [];
    const file: FileBytes = {
      ...bytesInMemory('m.gguf', bytes),
      read: async (begin, end) => {
        read.push(end - begin);
        return bytes.slice(begin, end);
      },
    };
    expect((await readGgufHeader(file)).metadata.get('tokens')).toEqual(texts);
    expect(read.length).toBeGreaterThan(1);
    expect(read.reduce((sum, size) => sum + size)).toBe(bytes.length);
  });

  const tensor = { name: 'x', shape: [4], type: F32, offset: 0 };
  it.each<[string, Written, string]>([
    [
      'another file',
      { magic: 'PK\x03\x04' },
      'm.gguf does not begin as GGUF files do: it is another kind of file.',
    ],
    [
      'version 1',
      { version: 1 },
      'm.gguf is a GGUF file of version 1; versions 2 and 3 are read, so convert the model anew.',
    ],
    [
      'big-endian',
      { version: 3 << 24 },
      'm.gguf is a GGUF file for big-endian machines, which is not read; convert the model anew.',
    ],
    [
      'a billion settings',
      { metadataCount: 10n ** 9n },
      'm.gguf is damaged or no GGUF file: it says that it has 1000000000 settings.',
    ],
    [
      '2^63 tensors',
      { tensorCount: 2n ** 63n },
      'm.gguf is damaged or no GGUF file: it speaks of 9223372036854775808 bytes or values.',
    ],
    [
      'more than there are',
      { metadataCount: 5n },
      'm.gguf ends inside its header: it is cut off or damaged.',
    ],
    [
      'a list of 2^40 texts',
      { metadata: [['a', ['raw', [9, 0, 0, 0, 8, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0]]]] },
      'm.gguf ends inside its header: it is cut off or damaged.',
    ],
    [
      'a list of 2^40 numbers',
      { metadata: [['a', ['raw', [9, 0, 0, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0]]]] },
      'm.gguf ends inside its header: it is cut off or damaged.',
    ],
    [
      'a list of lists',
      { metadata: [['a', ['raw', [9, 0, 0, 0, 9, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0]]]] },
      'm.gguf is damaged or no GGUF file: "a" is a list of lists.',
    ],
    [
      'an unknown type of setting',
      { metadata: [['a', ['raw', [77, 0, 0, 0]]]] },
      'm.gguf is damaged or no GGUF file: "a" is of type 77, which there is not.',
    ],
    [
      'a setting twice',
      {
        metadata: [
          ['a', ['u32', 1]],
          ['a', ['u32', 1]],
        ],
      },
      'm.gguf is damaged or no GGUF file: it has "a" twice.',
    ],
    [
      'five axes',
      { tensors: [{ ...tensor, shape: [1, 1, 1, 1, 4] }], dataBytes: 16 },
      'm.gguf is damaged or no GGUF file: tensor "x" has 5 axes.',
    ],
    [
      'a tensor twice',
      { tensors: [tensor, { ...tensor, offset: 32 }], dataBytes: 64 },
      'm.gguf is damaged or no GGUF file: it has tensor "x" twice.',
    ],
    [
      'a shape of 2^60',
      { tensors: [{ ...tensor, shape: [2n ** 52n, 2n ** 52n, 2n ** 52n] }], dataBytes: 16 },
      'm.gguf ends before the values of tensor "x" do: it is cut off or damaged.',
    ],
    [
      'an unknown type of values',
      { tensors: [{ ...tensor, type: 99 }], dataBytes: 16 },
      'm.gguf: tensor "x" holds values of type 99, which is not known.',
    ],
    [
      'half a block',
      { tensors: [{ ...tensor, type: Q8_0, shape: [40] }], dataBytes: 64 },
      'm.gguf is damaged or no GGUF file: rows of tensor "x" are no whole blocks of Q8_0.',
    ],
    [
      'an odd place',
      { tensors: [{ ...tensor, offset: 4 }], dataBytes: 64 },
      'm.gguf is damaged or no GGUF file: tensor "x" does not lie at a multiple of 32 bytes.',
    ],
    [
      'shared bytes',
      {
        tensors: [
          { ...tensor, shape: [16] },
          { ...tensor, name: 'y', offset: 32 },
        ],
        dataBytes: 64,
      },
      'm.gguf is damaged or no GGUF file: tensors "x" and "y" share bytes.',
    ],
    [
      'an alignment of 0',
      { metadata: [['general.alignment', ['u32', 0]]] },
      'm.gguf is damaged or no GGUF file: its general.alignment is no power of two.',
    ],
  ])('with %s is refused', async (_, written, sentence) => {
    await expect(header(written)).rejects.toThrow(sentence);
  });

  it('that is none is refused', async () => {
    const pointer = new TextEncoder().encode(
      'version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 9\n',
    );
    const of = (bytes: Uint8Array<ArrayBuffer>) => readGgufHeader(bytesInMemory('m.gguf', bytes));
    await expect(of(pointer)).rejects.toThrow('m.gguf is a Git LFS pointer');
    await expect(of(new Uint8Array())).rejects.toThrow(
      'm.gguf ends inside its header: it is cut off or damaged.',
    );
  });

  it('cut off anywhere is refused in a sentence', async () => {
    const whole = fixture('llama.gguf');
    for (let length = 0; length < whole.length; length += length < 2500 ? 7 : 1999) {
      const cut = readGgufHeader(bytesInMemory('m.gguf', whole.slice(0, length)));
      await expect(cut, `${length} bytes`).rejects.toThrow(
        /^m\.gguf ends (inside|before) .*: it is cut off or damaged\.$/,
      );
    }
  });

  it('with any byte changed is read, or refused in a sentence', async () => {
    const whole = fixture('llama.gguf');
    let refused = 0;
    for (let at = 0; at < 2500; at += 3) {
      const bytes = whole.slice();
      bytes[at] = (bytes[at]! + 1 + ((at * 7919) % 255)) & 255;
      try {
        const model = await openGguf([bytesInMemory('m.gguf', bytes)]);
        model.weights();
      } catch (error) {
        expect(isUserError(error), String(error)).toBe(true);
        refused++;
      }
    }
    expect(refused).toBeGreaterThan(100);
  });
});
