/**
 * ChunkKV gated by entropy (kvpress entropy_gated_chunkkv_press.py): chunks go in whole, best mean first, but of one that only a few
 * tokens make important no more than these; what that leaves free goes to further chunks.
 */
import { UserError } from '../base/user-error';
import type { LayerTrace } from '../trace/trace';
import { atEviction } from './at-eviction';
import { uniformAtLeastOne } from './budgets/uniform';
import { chunkTokens } from './chunkkv';
import { compose, type Scorer, token } from './compose';
import { keepFraction, mostTokens } from './defaults';
import { lagRanks } from './lagkv/kvpress';
import type { Method, MethodContext, MethodRun } from './method';
import { numberIn, type Parameters } from './parameters';
import { inText } from './positions';
import { inBuffers, rememberedLater } from './remember';
import { once } from './schedules/once';
import { observationWindowAsKvpress } from './scorers/observation-window';
import { baseOf, checkBase, snapkvAndLagkvParameters, snapkvOrLagkv } from './scorers/snapkv-or-lagkv';
import { summedHeads } from './scorers/summed-heads';
import { denseScores, unitsOf } from './units';

/** Added to sums and shares, as in kvpress. */
const EPSILON = 1e-8;

/** The smallest normal float: what a chunk of zeros has, so that it ranks above what was left of others. */
const LEAST_MEAN = 2 ** -126;

/**
 * What tokens are chosen by, best first, equal ones by their own scores: the mean of the chunk, and 0 for what stays behind when a chunk
 * goes in. That are all but the best `spikyTokens` of a chunk whose mean is at least the median of all chunks and whose entropy is below
 * the median (the lower one of two). `scores` are not negative, [tokens].
 */
export function gatedScores(
  scores: Float32Array,
  ofChunk: { readonly chunkTokens: number; readonly spikyTokens: number },
): Float32Array {
  const chunks = Array.from({ length: unitsOf(ofChunk.chunkTokens, scores.length) }, (_, i) =>
    scores.subarray(i * ofChunk.chunkTokens, (i + 1) * ofChunk.chunkTokens),
  );
  const means = chunks.map((chunk) => Math.fround(sumOf(chunk) / chunk.length));
  const entropies = chunks.map(normalisedEntropy);
  const [medianMean, medianEntropy] = [lowerMedian(means), lowerMedian(entropies)];
  const gated = new Float32Array(scores.length);
  for (const [i, chunk] of chunks.entries()) {
    const isSpiky = means[i]! >= medianMean && entropies[i]! < medianEntropy;
    const best = [...chunk.keys()].sort((j, k) => chunk[k]! - chunk[j]! || j - k);
    for (const j of isSpiky ? best.slice(0, ofChunk.spikyTokens) : best)
      gated[i * ofChunk.chunkTokens + j] = Math.max(means[i]!, LEAST_MEAN);
  }
  return gated;
}

const sumOf = (values: Float32Array): number => values.reduce((sum, value) => sum + value, 0);

/** How evenly a chunk's scores are spread over its tokens: 1 evenly, 0 one token has all. */
function normalisedEntropy(chunk: Float32Array): number {
  if (chunk.length === 1) return 0;
  const sum = sumOf(chunk) + EPSILON;
  let entropy = 0;
  for (const score of chunk) entropy -= (score / sum) * Math.log(score / sum + EPSILON);
  return Math.min(1, Math.max(0, entropy / Math.log(chunk.length)));
}

const lowerMedian = (values: readonly number[]): number =>
  values.toSorted((a, b) => a - b)[Math.floor((values.length - 1) / 2)]!;

const bases: Record<ReturnType<typeof baseOf>, Scorer> = {
  snapkv: summedHeads(observationWindowAsKvpress),
  lagkv: summedHeads(lagRanks as Scorer),
};
const baseScorer = (parameters: Parameters): Scorer => bases[baseOf(parameters)];

const chunkIn = (parameters: Parameters, layer: number) => ({
  chunkTokens: numberIn(parameters, 'chunkTokens', layer),
  spikyTokens: numberIn(parameters, 'spikyTokens', layer),
});

/** Scores of tokens, summed over heads, and what the gate makes of them. */
interface Gated {
  readonly own: Float32Array;
  readonly gated: Float32Array;
}

/** `gatedOf`: what was prepared of a layer. */
const byChunks = (gatedOf: (layer: number) => Gated): Scorer => ({
  name: nameOf,
  sets: 'layer',
  wants: (parameters) => ({
    recorded: true,
    recordedQueries: baseScorer(parameters).wants?.(parameters).queriesBefore ?? 0,
  }),
  window: (parameters, layer) => baseScorer(parameters).window?.(parameters, layer) ?? 0,
  score({ ops }, _parameters, { layer }, tokens) {
    const { gated, own } = gatedOf(layer);
    const [score, secondary] = [
      ops.upload(gated, 'means of chunks'),
      ops.upload(own, 'scores of a layer'),
    ] as const;
    return inBuffers(ops, [score, secondary], {
      score: denseScores(score, 1, tokens),
      secondary: denseScores(secondary, 1, tokens),
    });
  },
  // Shares, logarithms, products and both sums of every token, and its comparisons with the others of its chunk.
  operations: (parameters, context, tokens, layer) =>
    baseScorer(parameters).operations(parameters, context, tokens, layer) +
    tokens * (5 + Math.min(tokens, chunkIn(parameters, layer).chunkTokens)),
  memory(parameters, place) {
    const made = baseScorer(parameters).memory?.(parameters, place) ?? [];
    // Of queries a run keeps none: they are those of the text that was read.
    return made.filter(({ label }) => label !== 'earlier queries');
  },
});

function nameOf(parameters: Parameters, layer: number): string {
  const { chunkTokens: chunk, spikyTokens } = chunkIn(parameters, layer);
  return `entropy/${chunk}/${spikyTokens}/${baseScorer(parameters).name(parameters, layer)}`;
}

const partsWith = (gatedOf: (layer: number) => Gated) => ({
  ...{ scorer: byChunks(gatedOf), budget: uniformAtLeastOne, unit: token, schedule: once },
  positions: inText,
});

const composed = compose(
  partsWith(() => {
    throw new Error('no run was prepared');
  }),
);

/** Chunks are gated by what is read back of their scores, once for all layers, before anything is selected. */
function start(context: MethodContext, parameters: Parameters): MethodRun {
  const { ops, evictAt, layers, memo } = context;
  const prepared = new Map<number, Gated>();
  const parts = partsWith((layer) => {
    const gated = prepared.get(layer);
    if (!gated) throw new Error(`no scores were prepared for layer ${layer}`);
    return gated;
  });

  async function gate(trace: LayerTrace): Promise<Gated> {
    const { layer } = trace;
    const made = baseScorer(parameters).score(context, parameters, atEviction(trace, evictAt), evictAt, null);
    const own = await ops.readFloats(made.score.buffer, made.score.offset, evictAt);
    made.release();
    if (!own.every(Number.isFinite)) {
      throw new UserError(
        `chunkkv-entropy: in layer ${layer} the scores of keys are not finite: numbers there are too large for 32 bits; nothing is selected by them.`,
      );
    }
    return { own, gated: gatedScores(own, chunkIn(parameters, layer)) };
  }

  return {
    ...once.start(parts, context, parameters),
    async prepare(layerTraces, signal) {
      const isCut = (layer: number): boolean =>
        uniformAtLeastOne.count(parameters, layer, evictAt, evictAt, layers) < evictAt;
      if (!Array.from({ length: layers }, (_, layer) => layer).some(isCut)) return;
      if (!layerTraces) {
        throw new UserError(
          'chunkkv-entropy needs the scores of a text that was read with full attention, before it chooses; there is none.',
        );
      }
      const asked = layerTraces.filter(({ layer }) => isCut(layer));
      await Promise.all(
        asked.map(async (trace) => {
          const key = `${nameOf(parameters, trace.layer)}/${trace.layer}/${evictAt}`;
          const made = await rememberedLater(memo, key, 8 * evictAt, () => gate(trace), signal);
          prepared.set(trace.layer, made);
        }),
      );
    },
  };
}

export const chunkkvEntropy: Method = {
  id: 'chunkkv-entropy',
  title: 'ChunkKV gated by entropy',
  summary:
    'ChunkKV, but of important chunks in which few tokens have most of the score only those stay, and further chunks for the rest.',
  citation: {
    authors: 'Liu, Tang, Dong, Li, Liu, Li, Hu, Chu; the gate is kvpress’s',
    year: 2025,
    url: 'https://arxiv.org/abs/2502.00299',
  },
  presets: {
    kvpress: {
      parameters: {
        chunkTokens: 10,
        spikyTokens: 4,
        windowTokens: 64,
        poolKernel: 5,
        sinkTokens: 4,
        lagTokens: 128,
      },
      evictAfter: 'context',
    },
  },
  parameters: {
    base: snapkvOrLagkv('Whose scores a chunk has the mean and the entropy of.'),
    keepFraction,
    chunkTokens: {
      ...chunkTokens,
      help: 'Consecutive tokens that are judged together; kvpress calls them chunk_length, 10 by default here.',
    },
    spikyTokens: {
      kind: 'count',
      label: 'Of a spiky chunk',
      symbol: 'm',
      help: 'Tokens that go in of a chunk whose mean is high and whose entropy is low, each compared with the median of all chunks; as many as a chunk has: no gate.',
      unit: 'tokens',
      minimum: 1,
      maximum: mostTokens,
      default: () => 4,
    },
    ...snapkvAndLagkvParameters,
  },
  notes: () => [
    'The gate is kvpress’s own, no paper’s. Scores of the text as full attention read it are read back before anything is dropped, which is what a run reads as well up to there.',
  ],
  validate: (parameters, context) => checkBase('chunkkv-entropy', parameters, context),
  ...composed,
  start,
};
