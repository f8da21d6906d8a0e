import { readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { crc32, deflateSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { root } from '../../scripts/setup.mjs';
import { readPng, smallPng } from '../../scripts/small-png.mjs';

/** A picture of 8-bit colours, row y under filter y mod 5. */
function pngOf(width: number, height: number, colour: (x: number, y: number) => number): Buffer {
  const byte = (x: number, y: number, c: number): number =>
    x < 0 || y < 0 ? 0 : (colour(x, y) >> (16 - 8 * c)) & 255;
  const rows = Array.from({ length: height }, (_, y) => {
    const row = [y % 5];
    for (let x = 0; x < width; x++)
      for (const c of [0, 1, 2]) {
        const [left, up, corner] = [byte(x - 1, y, c), byte(x, y - 1, c), byte(x - 1, y - 1, c)];
        const nearest = [left, up, corner].toSorted(
          (a, b) => Math.abs(left + up - corner - a) - Math.abs(left + up - corner - b),
        );
        const guesses = [0, left, up, (left + up) >> 1, nearest[0]!];
        row.push((byte(x, y, c) - guesses[y % 5]! + 256) % 256);
      }
    return Buffer.from(row);
  });
  const header = Buffer.from([0, 0, 0, width, 0, 0, 0, height, 8, 2, 0, 0, 0]);
  const chunk = (name: string, data: Buffer): Buffer => {
    const named = Buffer.concat([Buffer.from(name), data]);
    const [length, sum] = [Buffer.alloc(4), Buffer.alloc(4)];
    length.writeUInt32BE(data.length);
    sum.writeUInt32BE(crc32(named));
    return Buffer.concat([length, named, sum]);
  };
  const signature = Buffer.from('89504e470d0a1a0a', 'hex');
  const data = deflateSync(Buffer.concat(rows));
  return Buffer.concat([
    signature,
    chunk('IHDR', header),
    chunk('IDAT', data),
    chunk('IEND', Buffer.alloc(0)),
  ]);
}

describe('a small PNG', () => {
  it('has its own colours where they are few', () => {
    const colour = (x: number, y: number) => ((x * 7 + y * 31) % 200) * 0x010305;
    const { width, height, pixels } = readPng(smallPng(pngOf(40, 23, colour)));
    expect([width, height]).toEqual([40, 23]);
    expect([...pixels]).toEqual(
      Array.from({ length: 40 * 23 }, (_, i) => colour(i % 40, Math.floor(i / 40))),
    );
  });

  it('has 256 near ones where they are many', () => {
    const colour = (x: number, y: number) => (x << 17) | (y << 10) | (((x * y) % 16) + 100);
    const { pixels } = readPng(smallPng(pngOf(60, 55, colour)));
    expect(new Set(pixels).size).toBe(256);
    const apart = [...pixels].flatMap((pixel, i) => {
      const wanted = colour(i % 60, Math.floor(i / 60));
      return [16, 8, 0].map((shift) => Math.abs(((pixel >> shift) & 255) - ((wanted >> shift) & 255)));
    });
    expect(Math.max(...apart)).toBeLessThan(32);
  });
});

it('pictures of the page are 1,440 pixels wide and 150 kB at most', () => {
  const folder = join(root, 'docs/pictures');
  const names = readdirSync(folder);
  expect(names.sort()).toEqual(['list-dark.png', 'list-light.png', 'table-dark.png', 'table-light.png']);
  for (const name of names) {
    expect(statSync(join(folder, name)).size, name).toBeLessThanOrEqual(150_000);
    expect(readFileSync(join(folder, name)).readUInt32BE(16), name).toBe(1440);
  }
});
