import { createHash } from 'node:crypto';
import { expect, test } from 'vitest';
import { digestFiles } from '../../src/model/files/digest';
import { bytesInMemory } from '../../src/model/files/file-bytes';

const file = (text: string) => bytesInMemory('some file', new TextEncoder().encode(text));

test.each([
  ['in memory', 1000],
  ['in pieces', 3],
])('is the start of SHA-256 over the SHA-256 of each file, %s', async (_, mostInMemoryBytes) => {
  const sha256 = (...data: Uint8Array[]) => {
    const hash = createHash('sha256');
    for (const part of data) hash.update(part);
    return hash.digest();
  };
  const bytes = (text: string) => new TextEncoder().encode(text);
  const expected = sha256(sha256(bytes('config')), sha256(bytes('weights')))
    .toString('hex')
    .slice(0, 16);
  expect(await digestFiles([file('config'), file('weights')], undefined, mostInMemoryBytes)).toBe(expected);
});

test('takes the hash that a file is known by', async () => {
  const sha256 = createHash('sha256').update('weights').digest('hex');
  const known = { ...file('not read'), sha256, read: () => Promise.reject(new Error('it was read')) };
  expect(await digestFiles([file('config'), known])).toBe(
    await digestFiles([file('config'), file('weights')]),
  );
});

test('tells contents, order and borders of files apart', async () => {
  const digests = await Promise.all(
    [['ab', 'c'], ['a', 'bc'], ['c', 'ab'], ['abc'], ['abd']].map((parts) => digestFiles(parts.map(file))),
  );
  expect(new Set(digests).size).toBe(5);
  for (const digest of digests) expect(digest).toMatch(/^[0-9a-f]{16}$/);
});
