/** The methods' reference tensors (tests/fixtures/README.md). */
import { readFileSync } from 'node:fs';
import type { Ops } from '../../gpu/ops';
import { readSafetensors, type SafetensorsFile } from '../../src/model/files/safetensors';
import type { Trace } from '../../src/trace/trace';
import { recordText, type TextShape } from './recorded';

interface RunDescription {
  readonly keyhole: { readonly id: string; readonly params: Readonly<Record<string, number | string>> };
}

const folder = new URL('../fixtures/', import.meta.url);
const file = (name: string): SafetensorsFile => readSafetensors(readFileSync(new URL(name, folder)), name);
const description = JSON.parse(readFileSync(new URL('methods.json', folder), 'utf8')) as {
  shape: { tokens: number; layers: number; query_heads: number; kv_heads: number; head_dim: number };
  runs: Record<string, RunDescription>;
};

export const inputs = file('methods.inputs.safetensors');
const later = JSON.parse(readFileSync(new URL('methods-2.json', folder), 'utf8')) as Pick<
  typeof description,
  'runs'
>;
const [first, second] = [file('methods.expected.safetensors'), file('methods-2.expected.safetensors')];
const holding = (name: string): SafetensorsFile => (second.has(name) ? second : first);
export const expected = {
  names: () => [...first.names(), ...second.names()],
  shape: (name: string) => holding(name).shape(name),
  float32: (name: string) => holding(name).float32(name),
  int32: (name: string) => holding(name).int32(name),
};
export const runs = { ...description.runs, ...later.runs };
export const layerCount = description.shape.layers;
export const shape: TextShape = {
  tokens: description.shape.tokens,
  queryHeads: description.shape.query_heads,
  keyValueHeads: description.shape.kv_heads,
  headDimension: description.shape.head_dim,
};

/** The capture of the fixtures, its first `tokens` tokens. */
export function fixtureText(ops: Ops, tokens = shape.tokens): Trace {
  const part = (name: string): Float32Array => firstTokens(inputs.float32(name), tokens);
  const tensors = Array.from({ length: layerCount }, (_, layer) => ({
    query: part(`query.${layer}`),
    key: part(`key.${layer}`),
    value: part(`value.${layer}`),
    queryUnrotated: part(`query_unrotated.${layer}`),
    keyUnrotated: part(`key_unrotated.${layer}`),
  }));
  return recordText(ops, { ...shape, tokens }, tensors);
}

function firstTokens(data: Float32Array, tokens: number): Float32Array {
  const { tokens: all, headDimension: d } = shape;
  const heads = data.length / (all * d);
  const out = new Float32Array(heads * tokens * d);
  for (let head = 0; head < heads; head++) {
    out.set(data.subarray(head * all * d, (head * all + tokens) * d), head * tokens * d);
  }
  return out;
}

/** Kept tokens of the reference, one ascending array per set. */
export function expectedKept(name: string): number[][] {
  const [sets, count] = expected.shape(name);
  const data = expected.int32(name);
  return Array.from({ length: sets! }, (_, set) =>
    [...data.subarray(set * count!, (set + 1) * count!)].filter((token) => token >= 0),
  );
}

/** Scores of the reference, one [T] per row. */
export function expectedScores(name: string): Float32Array[] {
  const [rows, tokens] = expected.shape(name);
  const data = expected.float32(name);
  return Array.from({ length: rows! }, (_, row) => data.slice(row * tokens!, (row + 1) * tokens!));
}
