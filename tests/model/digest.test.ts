import { createHash } from 'node:crypto';
import { expect, test } from 'vitest';
import { digestParts } from '../../src/model/files/digest';

const bytes = (text: string) => new TextEncoder().encode(text);

test('is the start of SHA-256 over the SHA-256 of each part', async () => {
  const sha256 = (...data: Uint8Array[]) => {
    const hash = createHash('sha256');
    for (const part of data) hash.update(part);
    return hash.digest();
  };
  const expected = sha256(sha256(bytes('config')), sha256(bytes('weights')))
    .toString('hex')
    .slice(0, 16);
  expect(await digestParts([bytes('config'), bytes('weights')])).toBe(expected);
});

test('tells contents, order and borders of parts apart', async () => {
  const digests = await Promise.all([
    digestParts([bytes('ab'), bytes('c')]),
    digestParts([bytes('a'), bytes('bc')]),
    digestParts([bytes('c'), bytes('ab')]),
    digestParts([bytes('abc')]),
    digestParts([bytes('abd')]),
  ]);
  expect(new Set(digests).size).toBe(5);
  for (const digest of digests) expect(digest).toMatch(/^[0-9a-f]{16}$/);
});
