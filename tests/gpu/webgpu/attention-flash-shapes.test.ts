import { expect, it } from 'vitest';
import { tileFor, workgroupBytes } from '../../../gpu/operations/attention/webgpu-flash-shapes';
import type { CommandEncoder } from '../../../gpu/webgpu/command-encoder';

const MINIMUM_BYTES = 16_384;

function encoderWith(maxWorkgroupStorageBytes: number): CommandEncoder {
  return { parallelThreads: 131_072, capabilities: { maxWorkgroupStorageBytes } } as CommandEncoder;
}

it('attention has a tile for every head size under the default limits, and a larger one where there is room', () => {
  const chosen = new Set<string>();
  for (const memory of [MINIMUM_BYTES, 32_768, 49_152]) {
    for (let channels = 4; channels <= 256; channels += 4) {
      for (const [rows, keys] of [
        [1, 100],
        [20, 100],
        [300, 600],
        [8192, 8192],
      ] as const) {
        const tile = tileFor(encoderWith(memory), channels, rows, 16, keys);
        expect(workgroupBytes(tile, channels), `${channels} channels, ${rows} rows`).toBeLessThanOrEqual(
          memory,
        );
        expect(tile.threads).toBeLessThanOrEqual(256);
        chosen.add(JSON.stringify(tile));
      }
    }
  }
  expect(chosen.size).toBeGreaterThan(6);
});

it('attention takes small tiles of rows where few rows are left or pairs are few', () => {
  const rowsOf = (rows: number, keys: number) => tileFor(encoderWith(49_152), 64, rows, 4, keys).rows;
  expect(rowsOf(4, 100_000)).toBe(16);
  expect(rowsOf(256, 600)).toBe(32);
  expect(rowsOf(2048, 8192)).toBe(128);
});
