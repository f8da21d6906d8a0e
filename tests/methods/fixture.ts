/** The methods' reference tensors (tests/fixtures/README.md). */
import { readFileSync } from 'node:fs';
import type { Ops } from '../../gpu/ops';
import { matrixRows } from '../../gpu/rows';
import { methods } from '../../src/methods';
import { readAllInjected } from '../../src/model/capture/injected';
import { readSafetensors, type SafetensorsFile } from '../../src/model/files/safetensors';
import type { Trace } from '../../src/trace/trace';
import { recordText, type TextShape } from './recorded';

interface RunDescription {
  readonly keyhole: { readonly id: string; readonly params: Readonly<Record<string, unknown>> };
  /** What executed it. */
  readonly source?: string;
  /** A model folder in tests/fixtures/, of whose text the run is; absent: the capture. */
  readonly model?: string;
  /** How many tokens are read before the last queries. */
  readonly prefillTokens?: number;
}

interface Description {
  readonly shape: {
    readonly tokens: number;
    readonly layers: number;
    readonly query_heads: number;
    readonly kv_heads: number;
    readonly head_dim: number;
  };
  readonly runs: Readonly<Record<string, RunDescription>>;
}

const folder = new URL('../fixtures/', import.meta.url);
const file = (name: string): SafetensorsFile => readSafetensors(readFileSync(new URL(name, folder)), name);
const described = ['methods', 'methods-2'].map(
  (name) => JSON.parse(readFileSync(new URL(`${name}.json`, folder), 'utf8')) as Description,
);
const { shape: sizes } = described[0]!;

export const inputs = file('methods.inputs.safetensors');
const injected = file('methods-2.inputs.safetensors');
const [first, second] = [file('methods.expected.safetensors'), file('methods-2.expected.safetensors')];
const holding = (name: string): SafetensorsFile => (second.has(name) ? second : first);
export const expected = {
  names: () => [...first.names(), ...second.names()],
  has: (name: string) => first.has(name) || second.has(name),
  shape: (name: string) => holding(name).shape(name),
  float32: (name: string) => holding(name).float32(name),
  int32: (name: string) => holding(name).int32(name),
};
export const runs: Readonly<Record<string, RunDescription>> = {
  ...described[0]!.runs,
  ...described[1]!.runs,
};
/** Runs of methods that are here with all the parameters that the run has. */
export function knownRuns(): string[] {
  return Object.keys(runs).filter((name) => {
    const { id, params } = runs[name]!.keyhole;
    const method = methods.find((candidate) => candidate.id === id);
    return method && Object.keys(params).every((parameter) => parameter in method.parameters);
  });
}

export const layerCount = sizes.layers;
export const shape: TextShape = {
  tokens: sizes.tokens,
  queryHeads: sizes.query_heads,
  keyValueHeads: sizes.kv_heads,
  headDimension: sizes.head_dim,
};

/** A run's tensors: names without the run's, and kinds without layer and block. */
export function tensorsOf(run: string): { readonly name: string; readonly kind: string }[] {
  // Names of runs have dots, and may begin alike.
  const isOther = (tensor: string): boolean =>
    Object.keys(runs).some(
      (other) => other.length > run.length && other.startsWith(run) && tensor.startsWith(`${other}.`),
    );
  return expected
    .names()
    .filter((tensor) => tensor.startsWith(`${run}.`) && !isOther(tensor))
    .map((tensor) => {
      const name = tensor.slice(run.length + 1);
      return {
        name,
        kind: name.replace(/(_after_\d+)?(\.\d+)*$/, (end) => (end.startsWith('_after') ? '_after' : '')),
      };
    });
}

const injectedTensors = await readAllInjected(
  injected,
  Array.from({ length: layerCount }, (_, layer) => layer),
  shape,
);

/** The capture of the fixtures with what is injected into it, its first `tokens` tokens. */
export function fixtureText(ops: Ops, tokens = shape.tokens): Trace {
  const part = (name: string): Float32Array => firstTokens(inputs.float32(name), tokens);
  const tensors = Array.from({ length: layerCount }, (_, layer) => ({
    query: part(`query.${layer}`),
    key: part(`key.${layer}`),
    value: part(`value.${layer}`),
    queryUnrotated: part(`query_unrotated.${layer}`),
    keyUnrotated: part(`key_unrotated.${layer}`),
  }));
  const outputs = tensors.map((_, layer) => {
    const name = `output_projection.${layer}`;
    const [rows, columns] = injected.shape(name);
    return matrixRows(ops.upload(injected.float32(name), name), rows!, columns!);
  });
  return {
    ...recordText(ops, { ...shape, tokens }, tensors),
    outputWeight: (layer) => outputs[layer]!,
    injected: injectedTensors,
  };
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
