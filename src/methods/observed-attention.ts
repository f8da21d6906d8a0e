/**
 * kvpress's ObservedAttentionPress (observed_attention_press.py), H2O's score (arXiv 2306.14048) without its favour for early tokens:
 * evicts once, by the attention that each key got from the queries that could see it.
 */
import type { RowScalars } from '../../gpu/ops';
import { type DeviceBuffer, headMajorRows, sliceRows } from '../../gpu/rows';
import { Scratch } from '../../gpu/scratch';
import { uniformAtLeastOne } from './budgets/uniform';
import { compose, type Followed, type Scorer, token } from './compose';
import { keepFraction } from './defaults';
import type { LayerInput, Method, MethodContext } from './method';
import { inText } from './positions';
import { inBuffers } from './remember';
import { once } from './schedules/once';
import { denseScores } from './units';

/** Sums by key of what blocks attend to as they are read, [G, tokens before the eviction] for every layer. */
class AccumulatedWhileReading implements Followed {
  readonly #context: MethodContext;
  readonly #sums = new Map<number, DeviceBuffer>();
  /** Those of the prompt, where more is read before the eviction. */
  readonly #marked = new Map<number, DeviceBuffer>();
  #tokens = 0;

  constructor(context: MethodContext) {
    this.#context = context;
  }

  read(input: LayerInput, logSumExp: RowScalars): void {
    const { ops, keyValueHeads, evictAt } = this.#context;
    const sums =
      this.#sums.get(input.layer) ?? ops.allocate('f32', keyValueHeads * evictAt, 'accumulated attention');
    this.#sums.set(input.layer, sums);
    this.#tokens = input.block.end;
    accumulate(this.#context, input, logSumExp, sums);
  }

  of(layer: number) {
    return denseScores(this.#sums.get(layer)!, this.#context.keyValueHeads, this.#context.evictAt);
  }

  mark(): void {
    const { ops, keyValueHeads, evictAt } = this.#context;
    if (this.#tokens === evictAt) return;
    for (const [layer, sums] of this.#sums) {
      const marked = ops.allocate('f32', keyValueHeads * evictAt, 'accumulated attention');
      this.#marked.set(layer, marked);
      this.#copy(sums, marked);
    }
  }

  rewind(): void {
    for (const [layer, marked] of this.#marked) this.#copy(marked, this.#sums.get(layer)!);
  }

  release(): void {
    this.#context.ops.release(...this.#sums.values(), ...this.#marked.values());
    this.#sums.clear();
    this.#marked.clear();
  }

  #copy(from: DeviceBuffer, to: DeviceBuffer): void {
    const { ops, keyValueHeads, evictAt } = this.#context;
    const rows = (buffer: DeviceBuffer) => headMajorRows(buffer, keyValueHeads, evictAt, 1);
    ops.copyRows({ input: rows(from), out: rows(to) });
  }
}

/** Adds what a block gives every key up to its own to `sums`, [G, tokens before the eviction]. */
function accumulate(
  { ops, scores, evictAt }: MethodContext,
  { block, query, key }: LayerInput,
  logSumExp: RowScalars,
  sums: DeviceBuffer,
): void {
  ops.accumulatedAttention({
    ...{ query, key: sliceRows(key, 0, block.end), ...scores, logSumExp, accumulate: true },
    visible: { range: { start: 0, end: block.end, causal: true } },
    out: { buffer: sums, offset: 0, rows: key.heads, length: block.end, rowStride: evictAt },
  });
}

const meanAttention: Scorer = {
  name: () => 'observed',
  sets: 'kvHead',
  follow: (context) => new AccumulatedWhileReading(context),
  score(context, _parameters, input, tokens, followed) {
    const { ops, queryHeads: H, keyValueHeads: G } = context;
    const buffer = ops.allocate('f32', G * tokens, 'mean attention received');
    const out = headMajorRows(buffer, G, tokens, 1);
    const all = input.atBlock({ start: 0, end: tokens });
    if (all?.logSumExp) accumulate(context, all, all.logSumExp, buffer);
    else if (followed) {
      const { buffer: sums } = followed.of(input.layer);
      ops.copyRows({ input: headMajorRows(sums, G, tokens, 1), out });
    } else throw new Error('observed attention needs the queries before the eviction');
    // The mean over the heads of a group and the n queries that see a key is the sum, merged with zeros that weigh as the others.
    const scratch = new Scratch(ops);
    const weights = Float32Array.from({ length: tokens }, (_, t) => Math.log(((tokens - t) * H) / G - 1));
    ops.mergeAttention({
      into: {
        out,
        logSumExp: {
          buffer: scratch.keep(ops.allocate('f32', G * tokens, 'one')),
          offset: 0,
          headStride: tokens,
        },
      },
      from: {
        out: headMajorRows(scratch.keep(ops.allocate('f32', G * tokens, 'zeros')), G, tokens, 1),
        logSumExp: { buffer: scratch.upload(weights, 'weights of the others'), offset: 0, headStride: 0 },
      },
    });
    scratch.release();
    return inBuffers(ops, [buffer], { score: denseScores(buffer, G, tokens) });
  },
  // Every query's probabilities once more, added up by key; then the means.
  operations: (_parameters, { queryHeads: H, keyValueHeads: G, headDimension: d }, tokens) =>
    ((2 * d + 3) * H * tokens * (tokens + 1)) / 2 + G * tokens,
  memory: (_parameters, { keyValueHeads: G, tokens, layers }) => [
    // Those of the prompt stay where it is evicted from within the answer.
    { label: 'accumulated attention', elements: G * tokens, count: 2 * layers },
    { label: 'weights of the mean', elements: G * tokens, count: 3 },
  ],
};

export const observedAttention: Method = {
  id: 'observed-attention',
  title: 'Observed attention',
  summary: 'Keeps the keys that got the most attention, mean over the queries that could see them.',
  citation: {
    authors: 'Zhang, Sheng, Zhou, Chen, Zheng, Cai, Song, Tian, Ré, Barrett, Wang, Chen',
    year: 2023,
    url: 'https://arxiv.org/abs/2306.14048',
  },
  presets: {
    kvpress: { evictAfter: 'context' },
  },
  parameters: { keepFraction },
  notes: () => [
    'kvpress’s simple form of H2O: evicts once, and divides by the number of queries that see a key, where H2O adds up and early keys gain by it. The last keys are judged by few queries.',
  ],
  ...compose({
    ...{ scorer: meanAttention, budget: uniformAtLeastOne, unit: token, schedule: once },
    positions: inText,
  }),
};
