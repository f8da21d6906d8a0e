/** How a layer makes keys and values of hidden states: the one place for it, in the forward pass and when a trace is projected anew. */
import type { Ops } from '../../../gpu/ops';
import { joinHeads, matrixRows, type Rows } from '../../../gpu/rows';
import { Scratch } from '../../../gpu/scratch';
import type { ModelConfig } from '../architectures/config';
import type { DeviceLinear, DeviceWeights } from './buffers';

/** The linear maps that a layer makes keys and values of hidden states with. */
export interface KeyValueMaps {
  readonly key: DeviceLinear;
  readonly value: DeviceLinear;
}

/** Keys before rotation and values, [G, n, d] each, token-major. */
interface ProjectedRows {
  readonly keyUnrotated: Rows;
  readonly value: Rows;
}

export interface KeyValueProjection {
  /** D. */
  readonly hiddenSize: number;
  /** A layer's own maps. */
  maps(layer: number): KeyValueMaps;
  /** What `maps`, in place of the layer's own, make of hidden states [n, D]; norms of keys are the layer's. */
  project(layer: number, maps: KeyValueMaps, hidden: Rows, out: ProjectedRows): void;
}

/** A model's projection. */
export function keyValueProjection(
  ops: Ops,
  { hiddenSize, queryKeyNorm, normalization: { epsilon } }: ModelConfig,
  { layers }: Pick<DeviceWeights, 'layers'>,
): KeyValueProjection {
  return {
    hiddenSize,
    maps: (layer) => layers[layer]!,
    project(layer, maps, hidden, { keyUnrotated, value }) {
      project(ops, hidden, maps.key, joinHeads(keyUnrotated));
      project(ops, hidden, maps.value, joinHeads(value));
      const { keyNorm } = layers[layer]!;
      if (!keyNorm) return;
      const normalized = queryKeyNorm === 'all' ? joinHeads(keyUnrotated) : keyUnrotated;
      ops.normalize({ kind: 'rms', input: normalized, ...keyNorm, epsilon, out: normalized });
    },
  };
}

/** out = weight · input + bias, or weight · first · input + bias; `accumulate` adds it to what is there. */
export function project(
  ops: Ops,
  input: Rows,
  { first, ...map }: DeviceLinear,
  out: Rows,
  accumulate = false,
): void {
  if (!first) {
    ops.matmul({ input, ...map, out, accumulate });
    return;
  }
  const scratch = new Scratch(ops);
  const latents = matrixRows(scratch.floats(input.rows * first.rows, 'latents'), input.rows, first.rows);
  ops.matmul({ input, weight: first, out: latents });
  ops.matmul({ input: latents, ...map, out, accumulate });
  scratch.release();
}
