/**
 * Approximate leverage of keys before rotation (Compactor, arXiv 2507.08143; kvpress leverage_press.py): centred, projected onto a few
 * random directions, and how far each then stands out of all, z-scored over heads and tokens.
 */
import type { ScoreRows } from '../../../gpu/ops';
import { headMajorRows, type Rows } from '../../../gpu/rows';
import type { Scratch } from '../../../gpu/scratch';
import { UserError } from '../../base/user-error';
import { drawnNormal } from '../drawn';
import { neededTensor } from '../injected';
import type { LayerInput, MemoryPlace, MethodContext } from '../method';
import {
  choiceOf,
  INJECTED,
  numberIn,
  type ParameterContext,
  type ParameterSchemas,
  type Parameters,
} from '../parameters';
import { centred, meanRow, standardise } from './rows';

export const sketchParameters: ParameterSchemas = {
  sketchDim: {
    kind: 'count',
    label: 'Random directions',
    symbol: 'k',
    help: 'Random directions that keys are projected onto before they are compared. kvpress calls it sketch_dimension.',
    unit: '',
    minimum: 1,
    maximum: () => 256,
    default: () => 48,
  },
  seed: {
    kind: 'count',
    idleWhere: { sketch: [INJECTED] },
    label: 'Seed',
    help: 'Another seed draws other directions.',
    unit: '',
    minimum: 0,
    maximum: () => 2 ** 32 - 1,
    default: () => 1,
  },
  sketch: {
    kind: 'choice',
    label: 'Directions come from',
    help: 'Which directions keys are projected onto, where they are not drawn here.',
    options: [
      { value: '', label: 'the seed', help: 'Drawn here.' },
      { value: INJECTED, label: 'the capture', help: 'As `sketch` of the capture says.' },
    ],
    default: () => '',
    isGivenOnly: true,
  },
};

/** What the directions depend on. */
export const sketchName = (parameters: Parameters, layer: number): string =>
  ['sketchDim', 'seed'].map((name) => numberIn(parameters, name, layer)).join('/') +
  choiceOf(parameters, 'sketch');

/** The layer's directions as rows, [G, k, d], those of random numbers divided by √k. */
function directions(id: string, context: MethodContext, parameters: Parameters, layer: number): Float32Array {
  const { keyValueHeads: G, headDimension: d } = context;
  const k = numberIn(parameters, 'sketchDim', layer);
  const rows = new Float32Array(G * k * d);
  const fill = (entry: (head: number, direction: number, channel: number) => number): Float32Array => {
    for (let i = 0; i < rows.length; i++)
      rows[i] = entry(Math.floor(i / (k * d)), Math.floor(i / d) % k, i % d);
    return rows;
  };
  if (choiceOf(parameters, 'sketch') !== INJECTED) {
    const seed = numberIn(parameters, 'seed', layer);
    return fill((...place) => drawnNormal(seed, layer, ...place) / Math.sqrt(k));
  }
  const { shape, values } = neededTensor(id, context, 'sketch', layer);
  if (shape[2] !== k) {
    throw new UserError(
      `${id}: sketch.${layer} has ${shape[2]} directions; sketchDim must say so, not ${k}.`,
    );
  }
  return fill((head, direction, channel) => values[(head * d + channel) * k + direction]!);
}

/** Dense [G, n], of un-rotated keys [G, n, d]. */
export function sketchedLeverage(
  scratch: Scratch,
  id: string,
  context: MethodContext,
  parameters: Parameters,
  layer: number,
  key: Rows,
  ridge: number,
  out: ScoreRows,
): void {
  const { heads: G, rows: n, channels: d } = key;
  if (n === 0) return;
  const k = numberIn(parameters, 'sketchDim', layer);
  const sketch = scratch.upload(directions(id, context, parameters, layer), 'random directions');
  const around = centred(scratch, key, meanRow(scratch, key, 'mean key'), 1, 'keys less their mean');
  const projected = scratch.rows(G, n, k, 'keys along random directions');
  scratch.ops.matmul({ input: around, weight: headMajorRows(sketch, G, k, d), out: projected });
  scratch.ops.leverage({ input: projected, ridge, out });
  standardise(scratch, out);
}

/** The layer's keys before rotation. Throws UserError for a capture without them. */
export function unrotatedKeys(id: string, { keyUnrotated }: LayerInput): Rows {
  if (!keyUnrotated) throw new UserError(`${id} needs keys before rotation, which this capture lacks.`);
  return keyUnrotated;
}

/** The mean and what is less of it, products with directions, the matrix and every key through its factor. */
export function leverageOperations(
  { keyValueHeads: G, headDimension: d }: ParameterContext,
  tokens: number,
  directionCount: number,
): number {
  const k = directionCount;
  return G * (tokens * (4 * d + 2 * d * k + 2 * k * k + 4) + k ** 3 / 3);
}

export function leverageMemory(
  parameters: Parameters,
  { keyValueHeads: G, headDimension: d, tokens }: MemoryPlace,
) {
  const k = Math.max(...([parameters.sketchDim].flat() as number[]));
  return [
    { label: 'keys less their mean', elements: G * tokens * d, count: 1 },
    { label: 'keys along random directions', elements: G * tokens * k, count: 1 },
    { label: 'random directions', elements: G * k * d, count: 1 },
    { label: 'factors', elements: G * k * k, count: 2 },
  ];
}
