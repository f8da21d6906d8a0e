import type { CommandEncoder } from '../../webgpu/command-encoder';
import { spans } from '../../webgpu/grid';
import { defineKernel } from '../../webgpu/kernel';
import { prepareProbabilities, probabilityWork, shareOf } from '../../webgpu/probabilities';
import { tileShape } from '../../wgsl/parts/gemm-tile';
import { masked } from '../../wgsl/parts/mask';
import { probabilityTile } from '../../wgsl/parts/probability-tile';
import { defineVec4StoreKernels } from '../../wgsl/parts/store-vec4';
import shader from './attention-probabilities.wgsl';
import tiledShader from './attention-probabilities-tiled.wgsl';
import { type AttentionProbabilitiesArguments, checkAttentionProbabilities } from './op';

const kernel = defineKernel('attention-probabilities', masked(shader));
const tiled = defineVec4StoreKernels('attention-probabilities-tiled', probabilityTile(tiledShader));

/** Keys and query rows of a tile that a software adapter's threads hold in registers. */
const REGISTER_TILE = { keys: 64, rows: 64 };
/** Few results a thread, of many threads: writing them takes longer than the products. */
const TILE = tileShape(16, 16, 1, 1);

/** Encodes `Ops.attentionProbabilities`. */
export function attentionProbabilities(
  encoder: CommandEncoder,
  a: AttentionProbabilitiesArguments,
  shape = TILE,
): void {
  checkAttentionProbabilities(a);
  const { query, key } = a;
  const isTiled = !encoder.isSoftwareAdapter;
  const tiledKernel = key.rows % 4 === 0 ? tiled.vectors : tiled.scalars;
  const tile = isTiled ? { keys: shape.rightRows, rows: shape.leftRows } : REGISTER_TILE;
  const items = query.heads * Math.ceil(query.rows / tile.rows);
  if (items === 0 || key.rows === 0) return;
  const { buffers, parameters, constants } = prepareProbabilities(encoder, a);
  const { flops, bytes } = probabilityWork(a);
  const work = { flops, bytes: bytes + 4 * query.heads * query.rows * key.rows };
  const parts = Math.max(encoder.partsFor(work), items / encoder.maxWorkgroupsPerDimension);
  for (const { start, count } of spans(items, parts, 1)) {
    encoder.dispatch({
      kernel: isTiled ? tiledKernel : kernel,
      constants: isTiled ? { ...shape.constants, ...constants } : constants,
      buffers: { ...buffers, out: a.out },
      parameters: { firstItem: start, ...parameters },
      workgroups: [Math.ceil(key.rows / tile.keys), count, 1],
      work: shareOf(work, count / items),
    });
  }
}
