import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { readableTypes, valueTypes } from '../../../src/model/gguf/value-types';

interface Case {
  type: string;
  id: number;
  /** Base64. */
  bytes: string;
  float32: string;
}
const cases: Case[] = JSON.parse(
  readFileSync(new URL('../../fixtures/gguf/values.json', import.meta.url), 'utf8'),
);

describe('values of GGUF files against gguf-py', () => {
  it.each(cases)('$type to the last bit', ({ type, id, bytes, float32 }) => {
    const { name, decode } = valueTypes.get(id)!;
    const raw = Uint8Array.from(Buffer.from(bytes, 'base64'));
    const expected = Uint8Array.from(Buffer.from(float32, 'base64'));
    expect(name).toBe(type);
    const values = decode!(raw);
    expect(new Uint8Array(values.buffer, values.byteOffset, values.byteLength)).toEqual(expected);
  });

  it('are compared for every type that is read', () => {
    expect(readableTypes.split(', ').sort()).toEqual(cases.map(({ type }) => type).sort());
  });
});
