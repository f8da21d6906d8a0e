import { expect, test } from 'vitest';
import { exactBfloat16, exactFloat16, fromBfloat16, fromFloat16, toFloat16 } from '../../src/base/float16';
import { toFloat32, toInt32 } from '../../src/model/files/tensor-values';

const allHalves = Uint16Array.from({ length: 65536 }, (_, half) => half);

/** A second way to the same number: the definition of binary16 in arithmetic. */
function float16ByDefinition(half: number): number {
  const sign = half & 0x8000 ? -1 : 1;
  const exponent = (half >> 10) & 31;
  const fraction = (half & 1023) / 1024;
  if (exponent === 31) return fraction === 0 ? sign * Number.POSITIVE_INFINITY : Number.NaN;
  if (exponent === 0) return sign * 2 ** -14 * fraction;
  return sign * 2 ** (exponent - 15) * (1 + fraction);
}

function bytesOf(array: ArrayBufferView): Uint8Array {
  return new Uint8Array(array.buffer, array.byteOffset, array.byteLength);
}

test('all 65,536 F16 values are exact', () => {
  const values = toFloat32('t', 'F16', bytesOf(allHalves));
  const wrong = allHalves.filter((half) => !Object.is(values[half], float16ByDefinition(half)));
  expect(wrong).toEqual(new Uint16Array());
  expect([values[0x0001], values[0x03ff], values[0x3555], values[0x7bff]]).toEqual([
    2 ** -24,
    1023 * 2 ** -24,
    0.333251953125,
    65504,
  ]);
});

test('all 65,536 BF16 values are the upper halves of float32', () => {
  const bits = new Uint32Array(toFloat32('t', 'BF16', bytesOf(allHalves)).buffer);
  const wrong = allHalves.filter((half) => bits[half] !== half * 65536);
  expect(wrong).toEqual(new Uint16Array());
  const known = Uint16Array.of(0x3f80, 0xc049, 0x7f80, 0x0001);
  expect([...toFloat32('t', 'BF16', bytesOf(known))]).toEqual([
    1,
    -3.140625,
    Number.POSITIVE_INFINITY,
    2 ** -133,
  ]);
});

test('writing F16 returns every value to its own bits', () => {
  const written = toFloat16(fromFloat16(allHalves));
  const isNotANumber = (half: number) => (half & 0x7fff) > 0x7c00;
  const wrong = allHalves.filter((half) =>
    isNotANumber(half) ? !isNotANumber(written[half]!) : written[half] !== half,
  );
  expect(wrong).toEqual(new Uint16Array());
});

test('writing F16 rounds to nearest, ties to even, between all neighbours', () => {
  // Every pair of neighbours from 0 to the largest finite value: the midpoint, and the float32 on each side of it.
  const wrong: number[] = [];
  const step = new Float32Array(1);
  const stepBits = new Uint32Array(step.buffer);
  for (let half = 0; half < 0x7c00; half++) {
    const upper = half === 0x7bff ? 65536 : float16ByDefinition(half + 1);
    step[0] = (float16ByDefinition(half) + upper) / 2;
    const middle = toFloat16(step)[0];
    stepBits[0]! -= 1;
    const below = toFloat16(step)[0];
    stepBits[0]! += 2;
    const above = toFloat16(step)[0];
    if (middle !== half + (half % 2) || below !== half || above !== half + 1) wrong.push(half);
  }
  expect(wrong).toEqual([]);
});

test('F64 is rounded to float32, and F32 is a view of the bytes where it is aligned', () => {
  const doubles = Float64Array.of(0.1, 1e300, -0, 1e-50);
  expect(toFloat32('t', 'F64', bytesOf(doubles))).toEqual(
    Float32Array.of(0.1, Number.POSITIVE_INFINITY, -0, 0),
  );
  const bytes = new Uint8Array(12);
  expect(toFloat32('t', 'F32', bytes.subarray(4)).buffer).toBe(bytes.buffer);
  bytes.set(bytesOf(Float32Array.of(1.5)), 3);
  expect([...toFloat32('t', 'F32', bytes.subarray(3, 7))]).toEqual([1.5]);
  expect([...toFloat32('t', 'F32', Buffer.from(bytes.buffer).subarray(3, 7))]).toEqual([1.5]);
});

test('integers of every width become int32, and those that do not fit are refused', () => {
  expect([...toInt32('t', 'I32', bytesOf(Int32Array.of(-7, 2 ** 31 - 1)))]).toEqual([-7, 2 ** 31 - 1]);
  expect([...toInt32('t', 'I64', bytesOf(BigInt64Array.of(-7n, 5n)))]).toEqual([-7, 5]);
  expect([...toInt32('t', 'U64', bytesOf(BigUint64Array.of(7n)))]).toEqual([7]);
  expect([...toInt32('t', 'I16', bytesOf(Int16Array.of(-7)))]).toEqual([-7]);
  expect([...toInt32('t', 'I8', bytesOf(Int8Array.of(-7)))]).toEqual([-7]);
  expect([...toInt32('t', 'U16', bytesOf(Uint16Array.of(65535)))]).toEqual([65535]);
  expect([...toInt32('t', 'BOOL', Uint8Array.of(0, 1))]).toEqual([0, 1]);
  expect(() => toInt32('ids', 'U32', bytesOf(Uint32Array.of(2 ** 31)))).toThrow(
    'Tensor "ids" holds the value 2147483648, which does not fit into 32 bits.',
  );
  expect(() => toInt32('ids', 'I64', bytesOf(BigInt64Array.of(2n ** 60n)))).toThrow('does not fit');
  expect(() => toInt32('ids', 'F32', new Uint8Array(4))).toThrow(
    'Tensor "ids" holds F32 values where integers',
  );
  expect(() => toFloat32('key.0', 'I32', new Uint8Array(4))).toThrow(
    'Tensor "key.0" holds I32 values where F32',
  );
});

test('floats that are halves become them without a loss, others do not', () => {
  const same = (found: Uint16Array | null, wanted: Uint16Array): boolean =>
    found?.length === wanted.length && found.every((half, i) => half === wanted[i]);
  const f16 = fromFloat16(allHalves);
  const numbers = allHalves.filter((half) => !Number.isNaN(f16[half]));
  expect(same(exactFloat16(fromFloat16(numbers)), numbers)).toBe(true);
  expect(same(exactBfloat16(fromBfloat16(allHalves)), allHalves)).toBe(true);
  for (const other of [0.1, 65536, 2 ** -25, 1 + 2 ** -11])
    expect(exactFloat16(Float32Array.of(1, other))).toBeNull();
  for (const other of [0.1, 1 + 2 ** -8]) expect(exactBfloat16(Float32Array.of(1, other))).toBeNull();
});
