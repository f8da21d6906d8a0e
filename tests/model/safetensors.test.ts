import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { UserError } from '../../src/base/user-error';
import { readCapture } from '../../src/model/capture/capture';
import { readSafetensors, type SafetensorsFile } from '../../src/model/files/safetensors';
import { type TensorToWrite, writeSafetensors } from '../../src/model/files/safetensors-writer';
import { fileBytes } from './files';

/** A file with the given header, whatever it says, and that much data. */
function fileWith(header: unknown, dataBytes: number): Uint8Array {
  const text = new TextEncoder().encode(typeof header === 'string' ? header : JSON.stringify(header));
  const file = new Uint8Array(8 + text.length + dataBytes);
  new DataView(file.buffer).setBigUint64(0, BigInt(text.length), true);
  file.set(text, 8);
  return file;
}

const f32 = (begin: number, end: number, shape: unknown = [(end - begin) / 4]) => ({
  dtype: 'F32',
  shape,
  data_offsets: [begin, end],
});

const tensorArbitrary: fc.Arbitrary<TensorToWrite> = fc
  .record({
    dtype: fc.constantFrom('F32' as const, 'F16' as const, 'I32' as const),
    shape: fc.array(fc.integer({ min: 0, max: 4 }), { maxLength: 3 }),
    seed: fc.integer(),
  })
  .map(({ dtype, shape, seed }): TensorToWrite => {
    const length = shape.reduce((product, size) => product * size, 1);
    // Small whole numbers, which F16 holds exactly.
    const values = Array.from({ length }, (_, i) => ((seed + i * 37) % 1000) - 500);
    return dtype === 'I32'
      ? { dtype, shape, data: Int32Array.from(values) }
      : { dtype, shape, data: Float32Array.from(values) };
  });

const fileArbitrary = fc.record({
  tensors: fc.dictionary(fc.string({ minLength: 1 }), tensorArbitrary, { maxKeys: 6 }),
  metadata: fc.dictionary(fc.string(), fc.string(), { maxKeys: 3 }),
});

/** Reads every value there is, which touches every byte that a tensor claims. */
function readAll(file: SafetensorsFile): void {
  for (const name of file.names()) {
    const tensor = file.tensor(name);
    expect(tensor.bytes().byteLength).toBe(tensor.byteLength);
    if (['F32', 'F16', 'BF16', 'F64'].includes(tensor.type)) tensor.toFloat32();
  }
}

/** A reader may refuse what is damaged, with a sentence; any other error fails the test. */
function readsOrRefuses(bytes: Uint8Array): 'read' | 'refused' {
  try {
    readAll(readSafetensors(bytes));
    return 'read';
  } catch (error) {
    if (!(error instanceof UserError)) throw error;
    expect(error.message).toMatch(/\.$/);
    expect(error.message.length).toBeLessThan(400);
    return 'refused';
  }
}

describe('what is written', () => {
  test('is read back, from any offset in a buffer', () => {
    fc.assert(
      fc.property(fileArbitrary, fc.integer({ min: 0, max: 7 }), ({ tensors, metadata }, shift) => {
        const written = writeSafetensors(tensors, metadata);
        const moved = new Uint8Array(written.length + shift);
        moved.set(written, shift);
        const file = readSafetensors(moved.subarray(shift));
        expect(file.notices).toEqual([]);
        expect(Object.entries(file.metadata).sort()).toEqual(Object.entries(metadata).sort());
        expect(file.names().sort()).toEqual(Object.keys(tensors).sort());
        for (const [name, tensor] of Object.entries(tensors)) {
          expect(file.shape(name)).toEqual(tensor.shape);
          expect(tensor.dtype === 'I32' ? file.int32(name) : file.float32(name)).toEqual(tensor.data);
        }
      }),
      { numRuns: 300 },
    );
  });

  test('has its data at a multiple of 8, each tensor aligned, and equal bytes for equal input', () => {
    const tensors = {
      b: { dtype: 'F16', shape: [3], data: Float32Array.of(1, 2, 3) },
      a: { dtype: 'F32', shape: [2], data: Float32Array.of(4, 5) },
    } as const;
    const written = writeSafetensors(tensors, { z: '1', y: '2' });
    const headerBytes = Number(new DataView(written.buffer).getBigUint64(0, true));
    expect(headerBytes % 8).toBe(0);
    expect(new TextDecoder().decode(written.subarray(8, 8 + headerBytes)).trimEnd()).toBe(
      '{"__metadata__":{"y":"2","z":"1"},"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]},' +
        '"b":{"dtype":"F16","shape":[3],"data_offsets":[8,14]}}',
    );
    expect(writeSafetensors(tensors, { y: '2', z: '1' })).toEqual(written);
  });

  test('must have as many values as its shape', () => {
    const write = () => writeSafetensors({ a: { dtype: 'F32', shape: [3], data: new Float32Array(2) } });
    expect(write).toThrow('Tensor a of shape [3] needs 3 values, not 2.');
  });
});

describe('a damaged file is read or refused with a sentence, never anything else', () => {
  const sound = writeSafetensors({
    one: { dtype: 'F32', shape: [2, 3], data: new Float32Array(6) },
    two: { dtype: 'F16', shape: [5], data: new Float32Array(5) },
    three: { dtype: 'I32', shape: [4], data: new Int32Array(4) },
  });

  test('with bytes changed anywhere', () => {
    const outcomes = { read: 0, refused: 0 };
    const change = fc.tuple(fc.nat(sound.length - 1), fc.integer({ min: 0, max: 255 }));
    fc.assert(
      fc.property(fc.array(change, { minLength: 1, maxLength: 6 }), (changes) => {
        const bytes = sound.slice();
        for (const [at, value] of changes) bytes[at] = value;
        outcomes[readsOrRefuses(bytes)]++;
      }),
      { numRuns: 2000 },
    );
    expect(outcomes.refused).toBeGreaterThan(100);
    expect(outcomes.read).toBeGreaterThan(10);
  });

  test('cut off anywhere', () => {
    for (let length = 0; length < sound.length; length++) {
      expect(readsOrRefuses(sound.subarray(0, length))).toBe('refused');
    }
  });

  test('with any numbers as offsets and shape', () => {
    const number = fc.oneof(
      fc.integer({ min: -8, max: 48 }),
      fc.constantFrom(0.5, 1e308, -0, 2 ** 53, 2 ** 53 - 1, 2 ** 32, 2 ** 31, null, '4', true),
    );
    const entry = fc.record({
      dtype: fc.constantFrom('F32', 'F16', 'I64', 'BOOL', 'f32', 'toString', 7),
      shape: fc.oneof(fc.array(number, { maxLength: 4 }), number),
      data_offsets: fc.oneof(fc.tuple(number, number), fc.array(number), number),
    });
    fc.assert(
      fc.property(fc.dictionary(fc.string(), entry, { maxKeys: 3 }), (header) => {
        readsOrRefuses(fileWith(header, 40));
      }),
      { numRuns: 2000 },
    );
  });

  test('with any JSON, and any text, as header', () => {
    fc.assert(fc.property(fc.json(), (header) => void readsOrRefuses(fileWith(header, 8))));
    fc.assert(fc.property(fc.string(), (header) => void readsOrRefuses(fileWith(header, 8))));
  });
});

test('tensors overlap exactly when they share a byte', () => {
  const span = fc.tuple(fc.nat(10), fc.nat(10)).map(([a, b]) => [4 * Math.min(a, b), 4 * Math.max(a, b)]);
  fc.assert(
    fc.property(fc.array(span, { maxLength: 5 }), (spans) => {
      const owners = new Array(40).fill(0);
      for (const [begin, end] of spans) for (let i = begin; i! < end!; i!++) owners[i!]++;
      const bytes = fileWith(
        Object.fromEntries(spans.map(([begin, end], i) => [`t${i}`, f32(begin!, end!)])),
        40,
      );
      if (owners.some((count) => count > 1)) expect(() => readSafetensors(bytes)).toThrow(/overlap\.$/);
      else {
        const unused = owners.filter((count) => count === 0).length;
        expect(readSafetensors(bytes).notices).toHaveLength(unused > 0 ? 1 : 0);
      }
    }),
    { numRuns: 1000 },
  );
});

describe('sentences', () => {
  const lengthOf = (bytes: bigint) => {
    const file = new Uint8Array(16);
    new DataView(file.buffer).setBigUint64(0, bytes, true);
    return file;
  };
  test.each<[string, Uint8Array, string]>([
    ['nothing', new Uint8Array(), 'The safetensors file is 0 bytes long, too short for a header.'],
    [
      'a forged length',
      lengthOf(2n ** 63n),
      'declares a header of 9223372036854775808 bytes, more than 32 MiB',
    ],
    ['a header past the end', lengthOf(9n), 'The safetensors file ends inside its header: it is cut off'],
    [
      'what Git left in its place',
      new TextEncoder().encode('version https://git-lfs.github.com/spec/v1\nsize 134515008\n'),
      'The safetensors file is a Git LFS pointer instead of the file itself; fetch it with "git lfs pull"',
    ],
    ['JSON that is nested deeper', fileWith('{"a":{"b":[[1]]}}', 0), 'has a header that is not JSON'],
    ['no JSON', fileWith('{"a":', 0), 'has a header that is not JSON'],
    ['a byte order mark', fileWith('\uFEFF{}', 0), 'has a header that is not JSON'],
    ['an array', fileWith([], 0), 'has a header that is not a JSON object'],
    [
      'metadata with a number',
      fileWith({ __metadata__: { layers: 4 } }, 0),
      'has metadata "layers" that is not a string.',
    ],
    [
      'an unknown type',
      fileWith({ a: { ...f32(0, 4), dtype: 'f/4' } }, 4),
      'tensor "a" needs a known dtype such as "F32", and has "f/4".',
    ],
    [
      'an end before the begin',
      fileWith({ a: f32(8, 4, [1]) }, 8),
      'tensor "a" lies at bytes 8 to 4, outside the 8 bytes of data.',
    ],
    [
      'an end outside',
      fileWith({ a: f32(0, 8) }, 4),
      'tensor "a" lies at bytes 0 to 8, outside the 4 bytes of data.',
    ],
    [
      'a shape too large',
      fileWith({ a: f32(0, 4, [2]) }, 4),
      'tensor "a" needs 8 bytes by its dtype and shape, but has 4.',
    ],
    [
      'a shape that overflows',
      fileWith({ a: f32(0, 4, [2 ** 40, 2 ** 40]) }, 4),
      'tensor "a" needs more bytes than any file has',
    ],
    [
      'two tensors on one place',
      fileWith({ a: f32(0, 8), b: f32(4, 12) }, 12),
      'tensors "a" and "b" overlap.',
    ],
    [
      'one name twice',
      fileWith('{"a":{"dtype":"F32","shape":[],"data_offsets":[0,4]},"\\u0061":{}}', 4),
      'names "a" twice in its header.',
    ],
  ])('for %s', (_, bytes, sentence) => {
    expect(() => readSafetensors(bytes)).toThrow(UserError);
    expect(() => readSafetensors(bytes)).toThrow(sentence);
  });

  test('for a key of many megabytes, without running out of stack', () => {
    const name = 'x'.repeat(20_000_000);
    expect(() => readSafetensors(fileWith(`{"${name}":7}`, 0))).toThrow('is not described by an object.');
  });

  test('for a tensor that is not there', () => {
    expect(() => readSafetensors(fileWith({}, 0), 'model.safetensors').float32('a')).toThrow(
      new UserError('model.safetensors has no tensor "a".'),
    );
  });
});

test('equal keys inside different tensors, and braces in names, are no repetition', () => {
  const file = readSafetensors(
    fileWith({ '{"a"': f32(0, 4), '\\': f32(4, 8), __metadata__: { dtype: '[' } }, 8),
  );
  expect(file.names()).toEqual(['{"a"', '\\']);
});

test('types that are not known matter only where their values are asked for', () => {
  const file = readSafetensors(fileWith({ a: { ...f32(0, 4), dtype: 'F4' }, b: f32(4, 8) }, 8));
  expect(file.names()).toEqual(['a', 'b']);
  expect(file.float32('b')).toHaveLength(1);
  expect(() => file.float32('a')).toThrow(
    'Tensor "a" holds F4 values where F32, F16, BF16 or F64 are needed',
  );
});

test('metadata that are null are none', async () => {
  const capture = await readCapture(
    readSafetensors(fileBytes('tests/fixtures/metadata-null.capture.safetensors')),
  );
  expect(capture.notices).toEqual(['The capture does not name its format; it is read as keyhole-capture-1.']);
});

test('huge headers are answered soon', () => {
  const start = performance.now();
  const brackets = '['.repeat(30_000_000);
  expect(() => readSafetensors(fileWith(brackets, 0))).toThrow('header that is not JSON');
  const many = Array.from(
    { length: 100_001 },
    (_, i) => `"t${i}":{"dtype":"F32","shape":[0],"data_offsets":[0,0]}`,
  );
  expect(() => readSafetensors(fileWith(`{${many.join(',')}}`, 0))).toThrow('names more than 100000 tensors');
  expect(performance.now() - start).toBeLessThan(8000);
});
