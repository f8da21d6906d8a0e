import type { CommandEncoder } from '../../webgpu/command-encoder';
import { linearGrid } from '../../webgpu/grid';
import { defineKernel } from '../../webgpu/kernel';
import { hasVectors } from '../../webgpu/views';
import shader from './lag-scores.wgsl';
import walkShader from './lag-scores-walk.wgsl';
import { checkLagScores, type LagScoresArguments } from './op';

const kernel = defineKernel('lag-scores', shader);
const walk = defineKernel('lag-scores-walk', walkShader);

/** A run reads one partition more than it scores: runs are as long as leaves workgroups enough, one per so many threads. */
const THREADS_PER_RUN = 256;
/** Longer partitions and wider heads do not fit the walk's workgroup memory. */
const MOST_WALK_TOKENS = 512;
const MOST_WALK_CHANNELS = 256;

/** Encodes `Ops.lagScores`. */
export function lagScores(encoder: CommandEncoder, a: LagScoresArguments): void {
  checkLagScores(a);
  const { key, value, lagTokens, partitions } = a;
  const scored = key.heads * partitions * lagTokens;
  if (scored === 0) return;
  const channels = Math.max(key.channels, value.channels);
  const walks =
    !encoder.isSoftwareAdapter &&
    lagTokens <= MOST_WALK_TOKENS &&
    channels <= MOST_WALK_CHANNELS &&
    hasVectors(key) &&
    hasVectors(value);
  if (walks) {
    encodeWalk(encoder, a, channels);
    return;
  }
  encoder.dispatch({
    kernel,
    constants: { CAPACITY: Math.ceil(channels / 64) * 64, HAS_DEGENERATE: a.degenerate !== undefined },
    buffers: {
      ...buffersOf(encoder, a),
      deviations: encoder.temporary('f32', 2 * scored, 'deviations'),
    },
    parameters: [parametersOf(a, 1), { keyChannels: key.channels, valueChannels: value.channels }],
    workgroups: linearGrid(key.heads * partitions, encoder.maxWorkgroupsPerDimension),
    work: { flops: 16 * scored * channels, bytes: 24 * scored * channels },
  });
}

function encodeWalk(encoder: CommandEncoder, a: LagScoresArguments, channels: number): void {
  const { key, value, lagTokens, partitions } = a;
  const runs = Math.ceil(encoder.parallelThreads / THREADS_PER_RUN);
  const runPartitions = Math.ceil((key.heads * partitions) / runs);
  const scored = key.heads * partitions * lagTokens;
  encoder.dispatch({
    kernel: walk,
    constants: {
      LANES: 2 ** Math.ceil(Math.log2(channels / 4)),
      CAPACITY: lagTokens <= 128 ? 128 : MOST_WALK_TOKENS,
      HAS_DEGENERATE: a.degenerate !== undefined,
    },
    buffers: buffersOf(encoder, a),
    parameters: [
      parametersOf(a, 4),
      { runPartitions, keyVectors: key.channels / 4, valueVectors: value.channels / 4 },
    ],
    workgroups: linearGrid(
      key.heads * Math.ceil(partitions / runPartitions),
      encoder.maxWorkgroupsPerDimension,
    ),
    work: { flops: 16 * scored * channels, bytes: (8 + 8 / runPartitions) * scored * channels },
  });
}

function buffersOf(encoder: CommandEncoder, a: LagScoresArguments) {
  return {
    key: a.key.buffer,
    value: a.value.buffer,
    out: a.out.buffer,
    degenerate: a.degenerate ?? encoder.unusedOutput(0),
  };
}

/** Offsets and strides of the inputs count in units of `width` floats. */
function parametersOf({ key, value, ...a }: LagScoresArguments, width: number) {
  return {
    heads: key.heads,
    partitions: a.partitions,
    lagTokens: a.lagTokens,
    keyOffset: key.offset / width,
    keyHeadStride: Math.floor(key.headStride / width),
    keyRowStride: key.rowStride / width,
    valueOffset: value.offset / width,
    valueHeadStride: Math.floor(value.headStride / width),
    valueRowStride: value.rowStride / width,
    outOffset: a.out.offset,
    outRowStride: a.out.rowStride,
    keyFactor: a.keyFactor,
    valueFactor: a.valueFactor,
  };
}
