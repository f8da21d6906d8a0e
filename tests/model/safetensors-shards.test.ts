import { expect, test } from 'vitest';
import { readSafetensors } from '../../src/model/files/safetensors';
import { parseShardIndex, shardedSource } from '../../src/model/files/safetensors-shards';
import { writeSafetensors } from '../../src/model/files/safetensors-writer';

const FIRST = 'model-00001-of-00002.safetensors';
const SECOND = 'model-00002-of-00002.safetensors';
const shard = (name: string, values: number[]) =>
  readSafetensors(
    writeSafetensors({ [name]: { dtype: 'F32', shape: [values.length], data: Float32Array.from(values) } }),
  );
const files = new Map([
  [FIRST, shard('a', [1, 2])],
  [SECOND, shard('b', [3])],
]);

test('two shards are one source', async () => {
  const source = shardedSource(parseShardIndex({ metadata: {}, weight_map: { a: FIRST, b: SECOND } }), files);
  expect(source.names()).toEqual(['a', 'b']);
  expect(source.shape('a')).toEqual([2]);
  expect([...(await source.float32('b'))]).toEqual([3]);
  expect(source.has('c')).toBe(false);
  expect(() => source.shape('c')).toThrow('The model\'s weights have no tensor "c".');
});

test.each([
  '../secret.safetensors',
  '/etc/passwd',
  'a/../b.safetensors',
  './b.safetensors',
  'a//b.safetensors',
  'a%2e.safetensors',
  'b.safetensors?x=.safetensors',
  'a\\b.safetensors',
  'http://x.safetensors',
  '',
])('a shard called %j is not followed', (file) => {
  expect(() => parseShardIndex({ weight_map: { a: file } })).toThrow(
    'which is not a safetensors file beside it.',
  );
});

test.each(['a/b.safetensors', 'a b.safetensors', 'a+b.safetensors', 'é.safetensors'])(
  'a shard called %j lies beside the index or below it',
  (file) => {
    expect([...parseShardIndex({ weight_map: { a: file } }).values()]).toEqual([file]);
  },
);

test('a tensor that the index leaves out is found in its shard', async () => {
  const [lone] = [
    writeSafetensors({
      b: { dtype: 'F32', shape: [1], data: Float32Array.of(3) },
      c: { dtype: 'F32', shape: [1], data: Float32Array.of(4) },
    }),
  ];
  const source = shardedSource(new Map([['b', SECOND]]), new Map([[SECOND, readSafetensors(lone)]]));
  expect(source.names().sort()).toEqual(['b', 'c']);
  expect([...(await source.float32('c'))]).toEqual([4]);
});

test('an index that is none, or does not agree with its shards, is refused', () => {
  expect(() => parseShardIndex({ weights: {} })).toThrow(
    'must hold a weight_map from tensor names to file names.',
  );
  expect(() => shardedSource(new Map([['a', 'x.safetensors']]), files)).toThrow(
    'lack the file "x.safetensors"',
  );
  expect(() => shardedSource(new Map([['a', SECOND]]), files)).toThrow(`"${SECOND}" lacks tensor "a"`);
});
