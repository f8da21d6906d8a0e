/** Before a GPU is trusted: one decoder layer over 64 tokens, compared with the CPU (docs/contracts.md, "Backend choice"). */
import { createCpuOps } from '../../gpu/cpu';
import type { Ops } from '../../gpu/ops';
import type { ModelConfig } from '../model/architectures/config';
import type { DecoderWeights, LinearWeights, NormWeights } from '../model/architectures/decoder-weights';
import { createDecoder } from '../model/decoder/decoder';
import { forward } from '../model/decoder/forward';
import { createRandom } from '../tasks/random';

const TOKENS = 64;
const TOLERANCE = 1e-3;

/** A layer with all that can differ between backends: grouped heads, rotary positions, a gate. */
const config: ModelConfig = {
  architecture: 'llama',
  layers: 1,
  hiddenSize: 64,
  queryHeads: 4,
  keyValueHeads: 2,
  headDimension: 16,
  feedForwardSize: 96,
  vocabularySize: 80,
  trainedTokens: TOKENS,
  normalization: { kind: 'rms', epsilon: 1e-5 },
  activation: 'silu-gate',
  rope: { kind: 'default', theta: 10_000 },
  learnedPositions: false,
  biases: { queryKeyValue: false, attentionOutput: false, feedForward: false },
  queryKeyNorm: false,
  tiedHead: true,
  attentionScale: 0.25,
  bosToken: null,
  eosTokens: [],
};

function randomWeights(): DecoderWeights {
  const random = createRandom(20_250_220);
  const uniform = (length: number, scale: number): Float32Array =>
    Float32Array.from({ length }, () => (random.below(2 ** 24) / 2 ** 23 - 1) * scale);
  const linear = (outputs: number, inputs: number): LinearWeights => ({
    weight: uniform(outputs * inputs, 3 / Math.sqrt(inputs)),
    bias: null,
    outputs,
    inputs,
  });
  const norm = (): NormWeights => ({ weight: uniform(config.hiddenSize, 1), bias: null });
  const embedding = uniform(config.vocabularySize * config.hiddenSize, 1);
  const { hiddenSize: D, queryHeads: H, keyValueHeads: G, headDimension: d, feedForwardSize: F } = config;
  const layer = {
    inputNorm: norm(),
    query: linear(H * d, D),
    key: linear(G * d, D),
    value: linear(G * d, D),
    output: linear(D, H * d),
    attentionOutputNorm: null,
    queryNorm: null,
    keyNorm: null,
    feedForwardNorm: norm(),
    gate: linear(F, D),
    up: linear(F, D),
    down: linear(D, F),
    feedForwardOutputNorm: null,
  };
  const finalNorm = norm();
  return {
    embedding: () => embedding,
    positions: () => null,
    layer: () => layer,
    finalNorm: () => finalNorm,
    head: () => embedding,
  };
}

async function run(ops: Ops): Promise<Float32Array> {
  const decoder = await createDecoder(ops, config, randomWeights());
  const ids = Uint32Array.from({ length: TOKENS }, (_, i) => (i * 37) % config.vocabularySize);
  const { logits, reader } = await forward(decoder, ids, { isChecked: false });
  reader.release();
  decoder.release();
  return logits;
}

/** Null when the device computes what the CPU does, within 1e-3 of the largest logit; otherwise a sentence. */
export async function selfTest(ops: Ops): Promise<string | null> {
  // The reference in double precision, not what is quickest.
  const cpu = createCpuOps({ simd: false });
  try {
    const [expected, actual] = [await run(cpu), await run(ops)];
    let largest = 0;
    let worst = 0;
    for (let i = 0; i < expected.length; i++) {
      largest = Math.max(largest, Math.abs(expected[i]!));
      const difference = Math.abs(expected[i]! - actual[i]!);
      worst = Number.isNaN(difference) ? Number.POSITIVE_INFINITY : Math.max(worst, difference);
    }
    if (worst <= TOLERANCE * largest) return null;
    return `its results differ from the CPU's by ${(worst / largest).toExponential(1)} of the largest`;
  } finally {
    cpu.destroy();
  }
}
