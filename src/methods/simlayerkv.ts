/**
 * SimLayerKV (arXiv 2410.13846) as in kvpress (simlayerkv_press.py): a layer whose last queries look at the first and the latest tokens
 * almost alone is lazy, and keeps only these; every other layer keeps all.
 */
import type { DeviceBuffer } from '../../gpu/rows';
import { matrixRows } from '../../gpu/rows';
import { Scratch } from '../../gpu/scratch';
import { UserError } from '../base/user-error';
import type { Budget, Scorer, Scores } from './compose';
import { compose, token } from './compose';
import { mostTokens, scaledDefault } from './defaults';
import type { Method } from './method';
import { numberIn, type Parameters } from './parameters';
import { inText } from './positions';
import { inBuffers } from './remember';
import { once } from './schedules/once';
import { lastQueries } from './scorers/observation-window';

/** What a lazy layer is judged by and keeps. */
interface Ends {
  readonly sinkTokens: number;
  readonly recentTokens: number;
  readonly lastTokens: number;
  /** Tokens that stay: those at the beginning, and the latest with the last queries' own among them. */
  readonly kept: number;
}

function endsIn(parameters: Parameters, layer: number): Ends {
  const sinkTokens = numberIn(parameters, 'sinkTokens', layer);
  const recentTokens = numberIn(parameters, 'recentTokens', layer);
  const lastTokens = numberIn(parameters, 'lastTokens', layer);
  return { sinkTokens, recentTokens, lastTokens, kept: sinkTokens + recentTokens - lastTokens };
}

/** Attention of the last queries by token, and what of it both ends of the text get. */
interface Laziness extends Scores {
  readonly layer: number;
  readonly share: DeviceBuffer;
  readShare(): Promise<number>;
}

const laziness: Scorer<Laziness> = {
  ...lastQueries,
  name: (parameters, layer) => {
    const { sinkTokens, recentTokens } = endsIn(parameters, layer);
    return `${lastQueries.name(parameters, layer)}/ends/${sinkTokens}/${recentTokens}`;
  },
  score(context, parameters, input, tokens) {
    const { ops } = context;
    const { layer } = input;
    const { sinkTokens, recentTokens, lastTokens } = endsIn(parameters, layer);
    const { score, buffers } = lastQueries.score(context, parameters, input, tokens, null);
    const scratch = new Scratch(ops);
    const earlier = tokens - lastTokens;
    const isEnd = new Float32Array(earlier).fill(1, 0, sinkTokens).fill(1, earlier - recentTokens);
    const share = ops.scratch('f32', 1, 'share of both ends');
    ops.matmul({
      input: matrixRows(score.buffer, 1, earlier, score.offset),
      weight: matrixRows(scratch.upload(isEnd, 'both ends'), 1, earlier),
      out: matrixRows(share, 1, 1),
    });
    scratch.release();
    const readShare = async (): Promise<number> => (await ops.readFloats(share))[0]!;
    return inBuffers(ops, [...buffers, share], { score, layer, share, readShare });
  },
  // The layer is judged as a whole; its tokens are kept or dropped by their places.
  candidates: (parameters, layer) => {
    const { sinkTokens } = endsIn(parameters, layer);
    return { start: sinkTokens, end: sinkTokens };
  },
  async lateNotices(scores) {
    if (scores.length === 0) return [];
    const shares = await Promise.all(
      scores.map(async ({ layer, readShare }) => `${layer}: ${(100 * (await readShare())).toFixed(1)} %`),
    );
    return [
      `What the last queries before the eviction give both ends of the text, by layer; a layer above the threshold is lazy: ${shares.join(', ')}.`,
    ];
  },
  operations: (parameters, context, tokens, layer) =>
    lastQueries.operations(parameters, context, tokens, layer) + endsIn(parameters, layer).kept,
};

/** Both ends of the text in a lazy layer, every token in another. */
const bothEndsOrAll: Budget = {
  count(parameters, layer, units) {
    const { kept, lastTokens } = endsIn(parameters, layer);
    const isOff = numberIn(parameters, 'lazyThreshold', layer) === 1;
    return isOff || units <= kept + 2 * lastTokens ? units : kept;
  },
  keep(ops, parameters, layer, scores, kept) {
    const { score, share } = scores as Laziness;
    const { length: tokens } = score;
    const { sinkTokens } = endsIn(parameters, layer);
    const scratch = new Scratch(ops);
    // Which is larger, threshold or share, says which of two lists is taken; at a tie the first.
    const pair = scratch.upload(
      new Float32Array([numberIn(parameters, 'lazyThreshold', layer), 0]),
      'threshold and share',
    );
    ops.copyRows({ input: matrixRows(share, 1, 1), out: matrixRows(pair, 1, 1, 1) });
    const larger = scratch.integers(1, 'larger of threshold and share');
    const choice = { buffer: larger, offset: 0, sets: 1, count: 1, rowStride: 1 };
    ops.topK({
      score: { buffer: pair, offset: 0, rows: 1, length: 2, rowStride: 2 },
      ...{ count: 1, indexBase: 0, out: choice },
    });
    // Each list with its length behind it.
    const lists = new Uint32Array(2 * (tokens + 1)).map((_, i) => i);
    for (let i = sinkTokens; i < kept; i++) lists[tokens + 1 + i] = tokens - kept + i;
    for (let i = 0; i < sinkTokens; i++) lists[tokens + 1 + i] = i;
    lists[2 * tokens + 1] = kept;
    const buffer = ops.scratch('u32', tokens + 1, 'kept keys');
    ops.gatherListed({
      input: matrixRows(scratch.upload(lists, 'all tokens, both ends'), 2, tokens + 1),
      list: choice,
      out: matrixRows(buffer, 1, tokens + 1),
    });
    scratch.release();
    return {
      list: { buffer, offset: 0, sets: 1, count: tokens, rowStride: tokens, countsOffset: tokens },
      tied: ops.allocate('u32', 1, 'tied at the cut'),
      tiedSets: 1,
    };
  },
  withBudget: (parameters, _context, keepFraction) =>
    keepFraction >= 1
      ? { parameters: { ...parameters, lazyThreshold: 1 } }
      : {
          reason:
            'Which layers SimLayerKV takes for lazy, and so how much it keeps, follows from the text: lazyThreshold and recentTokens set it, no kept fraction does.',
        },
};

export const simlayerkv: Method = {
  id: 'simlayerkv',
  title: 'SimLayerKV',
  summary:
    'Keeps only the first and the latest tokens in layers whose last query looks at little else, and everything in the others.',
  does: 'allocate',
  citation: {
    authors: 'Zhang, Du, Du, Pang, Gao, Lin',
    year: 2024,
    url: 'https://arxiv.org/abs/2410.13846',
  },
  presets: {
    kvpress: {
      parameters: { lazyThreshold: 1, sinkTokens: 4, recentTokens: 1024, lastTokens: 1 },
      evictAfter: 'context',
    },
  },
  parameters: {
    lazyThreshold: {
      kind: 'fraction',
      label: 'Lazy above',
      symbol: 'δ',
      help: 'A layer is lazy whose last queries give both ends of the text more than this; 1: none is. kvpress recommends 0.9 for Llama 3, 0.85 for Qwen, 0.8 for Mistral and 0.65 for Llama 2.',
      minimum: 0,
      maximum: 1,
      unit: '%',
      default: () => 0.9,
    },
    sinkTokens: {
      kind: 'count',
      idleWhere: { lazyThreshold: [1] },
      label: 'First tokens',
      help: 'Tokens at the beginning of the text that a lazy layer keeps. kvpress calls them n_initial.',
      unit: 'tokens',
      minimum: 0,
      maximum: mostTokens,
      default: () => 4,
    },
    recentTokens: {
      kind: 'count',
      label: 'Latest tokens',
      help: 'Tokens before the last queries’ own by which a layer is judged; a lazy layer keeps so many, the last queries’ own counted twice. kvpress calls them n_recent.',
      unit: 'tokens',
      minimum: 2,
      maximum: mostTokens,
      ...scaledDefault(8, 16, 1024),
    },
    lastTokens: {
      kind: 'count',
      label: 'Last queries',
      help: 'Queries before the eviction that judge the layer. kvpress calls them n_last.',
      unit: 'tokens',
      minimum: 1,
      maximum: mostTokens,
      default: () => 1,
    },
  },
  notes: () => [
    'As in kvpress, a layer is judged once, at the eviction. Cost is counted as if every layer were lazy; what is kept is measured.',
  ],
  validate(parameters, { layers }) {
    for (let layer = 0; layer < layers; layer++) {
      const { recentTokens, lastTokens } = endsIn(parameters, layer);
      if (recentTokens > lastTokens) continue;
      throw new UserError(
        `simlayerkv: recentTokens is ${recentTokens}; it must be more than lastTokens, ${lastTokens}.`,
      );
    }
  },
  ...compose({
    ...{ scorer: laziness, budget: bothEndsOrAll, unit: token, schedule: once },
    positions: inText,
  }),
};
