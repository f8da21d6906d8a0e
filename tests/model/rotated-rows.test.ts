import { afterAll, describe, expect, test } from 'vitest';
import { createCpuOps } from '../../gpu/cpu';
import type { Rows } from '../../gpu/rows';
import { endOfRows, headMajorRows, sliceRows } from '../../gpu/rows';
import { createRotations } from '../../src/model/decoder/buffers';
import { RotatedRows } from '../../src/model/decoder/rotated-rows';
import { draw, lcg } from '../golden/lcg';
import { rotate } from '../methods/recorded';

const ops = createCpuOps();
afterAll(() => ops.destroy());
const HEADS = 3;
const CHANNELS = 8;
const TOKENS = 50;
const rope = { kind: 'default', theta: 10_000 } as const;
const rotations = createRotations(ops, { rope, headDimension: CHANNELS }, TOKENS + 1, TOKENS);
const next = lcg(3);
const layers = [0, 1, 2, 3].map(() => {
  const data = draw(next, HEADS * TOKENS * CHANNELS);
  const buffer = ops.upload(data, 'rows');
  return {
    buffer,
    rows: headMajorRows(buffer, HEADS, TOKENS, CHANNELS),
    turned: rotate(data, TOKENS, CHANNELS),
  };
});

function rotatedRows(layersHeld: number): RotatedRows {
  const shape = { heads: HEADS, channels: CHANNELS, capacity: TOKENS };
  return new RotatedRows({ ops, rotations, ...shape, layersHeld, label: 'rotated rows' });
}

/** Compares a view with rows [0, end) of dense [HEADS, TOKENS, CHANNELS]. */
async function expectRows(view: Rows, wanted: Float32Array, end: number, label: string): Promise<void> {
  expect(view, label).toMatchObject({ heads: HEADS, rows: end, channels: CHANNELS });
  const data = await ops.readFloats(view.buffer, view.offset, endOfRows(view) - view.offset);
  for (let h = 0; h < HEADS; h++) {
    for (let r = 0; r < end; r++) {
      const from = h * view.headStride + r * view.rowStride;
      for (let c = 0; c < CHANNELS; c++)
        expect(data[from + c], label).toBeCloseTo(wanted[(h * TOKENS + r) * CHANNELS + c]!, 5);
    }
  }
}

describe('rotated rows', () => {
  test.each([1, 2, 4])(
    'are there in whatever order layers and lengths are asked for, %i held',
    async (held) => {
      const before = ops.memory().bytes;
      const rotated = rotatedRows(held);
      expect(ops.memory().bytes - before).toBe(held * 4 * HEADS * TOKENS * CHANNELS);
      for (const [layer, end] of [
        [0, 10],
        [1, 10],
        [0, 20],
        [2, 20],
        [3, 50],
        [0, 50],
        [0, 7],
        [1, 50],
      ])
        await expectRows(
          rotated.of(layer!, layers[layer!]!.rows, end!),
          layers[layer!]!.turned,
          end!,
          `${layer}, ${end}`,
        );
      rotated.release();
      expect(ops.memory().bytes).toBe(before);
    },
  );

  test('stay while fewer other layers were asked for than are held', async () => {
    const rotated = rotatedRows(2);
    const first = rotated.of(0, layers[0]!.rows, TOKENS);
    rotated.of(1, layers[1]!.rows, TOKENS);
    await expectRows(first, layers[0]!.turned, TOKENS, 'one other');
    rotated.of(0, layers[0]!.rows, TOKENS);
    rotated.of(2, layers[2]!.rows, TOKENS);
    await expectRows(first, layers[0]!.turned, TOKENS, 'the one before was older');
    rotated.release();
  });

  test('forget what was forgotten', async () => {
    const rotated = rotatedRows(1);
    await expectRows(rotated.of(0, layers[0]!.rows, TOKENS), layers[0]!.turned, TOKENS, 'first');
    rotated.truncate(20);
    const other = draw(next, HEADS * TOKENS * CHANNELS);
    const before = await ops.readFloats(layers[0]!.buffer);
    for (let h = 0; h < HEADS; h++) {
      const from = (h * TOKENS + 20) * CHANNELS;
      other.set(before.subarray(h * TOKENS * CHANNELS, from), h * TOKENS * CHANNELS);
    }
    ops.write(layers[0]!.buffer, 0, other);
    const turned = rotate(other, TOKENS, CHANNELS);
    await expectRows(rotated.of(0, layers[0]!.rows, TOKENS), turned, TOKENS, 'second');
    rotated.release();
  });

  test('without rotary positions are the rows themselves, and take nothing', () => {
    const before = ops.memory().bytes;
    const shape = { heads: HEADS, channels: CHANNELS, capacity: TOKENS, layersHeld: 4, label: 'rows' };
    const still = new RotatedRows({ ops, rotations: { of: () => null, buffers: [] }, ...shape });
    expect(still.of(1, layers[1]!.rows, 9)).toEqual(sliceRows(layers[1]!.rows, 0, 9));
    expect(ops.memory().bytes).toBe(before);
  });

  test('that find no room leave nothing behind', () => {
    const small = createCpuOps({ memoryBytes: 4 * HEADS * TOKENS * CHANNELS * 2.5 });
    const shape = { heads: HEADS, channels: CHANNELS, capacity: TOKENS };
    expect(() => new RotatedRows({ ops: small, rotations, ...shape, layersHeld: 3, label: 'keys' })).toThrow(
      'keys needs',
    );
    expect(small.memory().bytes).toBe(0);
  });
});
