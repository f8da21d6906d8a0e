/**
 * Prompt compression by whole sentences, as extractive compressors do it (CPC, arXiv 2409.01227), with the model's own hidden states in
 * place of a trained encoder: those sentences of the context stay that are most like the question. A baseline of ours, untrained.
 */
import type { DeviceBuffer } from '../../gpu/rows';
import { UserError } from '../base/user-error';
import { blocksAround } from './blocks';
import { evictOnceBudget, keptAtEviction, NOTHING_TO_EVICT } from './budget';
import { defaultChunkTokens, keepFraction } from './defaults';
import { keepEverything } from './keep-everything';
import type { Method, MethodContext, MethodRun, QueryBlock } from './method';
import { numberIn, type Parameters } from './parameters';
import { rememberedLater } from './remember';
import { denseScores } from './units';

/** Tokens [0, end) in sentences: up to a line break, or a full stop, question mark or exclamation mark before a blank. */
export function sentencesOf(texts: readonly string[], end: number): QueryBlock[] {
  const sentences: QueryBlock[] = [];
  let start = 0;
  // A closing quotation mark may be a token of its own.
  let said = '';
  for (let token = 0; token < end; token++) {
    said = said.slice(-8) + texts[token]!;
    const stops = /[.!?…]["'”’)\]]*$/.test(said) && /^(\s|$)/.test(texts[token + 1] ?? '');
    if (!stops && !texts[token]!.includes('\n') && token + 1 < end) continue;
    sentences.push({ start, end: token + 1 });
    start = token + 1;
    said = '';
  }
  return sentences;
}

/** What is asked: what stands between the eviction and the answer; where nothing does, the last question before, or the last sentence. */
function questionOf(
  sentences: readonly QueryBlock[],
  texts: readonly string[],
  { evictAt, promptEnd }: Pick<MethodContext, 'evictAt' | 'promptEnd'>,
): QueryBlock {
  if (promptEnd > evictAt) return { start: evictAt, end: promptEnd };
  const asks = ({ start, end }: QueryBlock): boolean => texts.slice(start, end).join('').includes('?');
  return sentences.findLast(asks) ?? sentences.at(-1)!;
}

/** Of the sentences those with the largest scores, until one no longer fits into `count` tokens; the earlier one first where scores tie. */
export function bestSentences(
  sentences: readonly QueryBlock[],
  scores: readonly number[],
  count: number,
): QueryBlock[] {
  const order = sentences.map((_, i) => i).sort((a, b) => scores[b]! - scores[a]! || a - b);
  const kept = new Set<number>();
  let tokens = 0;
  for (const i of order) {
    tokens += sentences[i]!.end - sentences[i]!.start;
    if (tokens > count) break;
    kept.add(i);
  }
  return sentences.filter((_, i) => kept.has(i));
}

/** Cosines of the sentences' mean rows with the question's, rows [n, width]. */
export function likeness(
  rows: Float32Array,
  width: number,
  sentences: readonly QueryBlock[],
  question: QueryBlock,
): number[] {
  const meanOf = ({ start, end }: QueryBlock): Float64Array => {
    const sum = new Float64Array(width);
    for (let token = start; token < end; token++)
      for (let c = 0; c < width; c++) sum[c]! += rows[token * width + c]!;
    return sum.map((value) => value / (end - start));
  };
  const dot = (a: Float64Array, b: Float64Array): number =>
    a.reduce((sum, value, c) => sum + value * b[c]!, 0);
  const asked = meanOf(question);
  return sentences.map((sentence) => {
    const mean = meanOf(sentence);
    const lengths = Math.sqrt(dot(mean, mean) * dot(asked, asked));
    return lengths > 0 ? Math.fround(dot(mean, asked) / lengths) : 0;
  });
}

export const sentences: Method = {
  id: 'sentences',
  title: 'Sentences',
  summary:
    'Keeps the sentences most like the question, by the model’s mean hidden states; an untrained baseline.',
  does: 'baseline',
  citation: null,
  parameters: {
    keepFraction: {
      ...keepFraction,
      help: 'Tokens that stay at most, as a fraction of those before the eviction: the best sentences until one no longer fits.',
    },
    hiddenLayer: {
      kind: 'count',
      label: 'Hidden layer',
      help: 'The layer whose input, after its norm, sentences are compared by. One number for all layers.',
      unit: '',
      minimum: 0,
      maximum: ({ layers }) => Math.max(0, layers - 1),
      default: ({ layers }) => Math.floor(layers / 2),
      defaultRule: 'half the layers',
      isSameInAllLayers: true,
    },
  },
  notes: () => [
    'An untrained baseline for prompt compression: mean hidden states stand for the trained sentence encoder that CPC has, so this is not the quality of CPC. Whole sentences stay or go, in every layer and head.',
    'The sentences’ keys are those of the whole text, read once; a compressed prompt would be read anew, without the rest.',
  ],
  traits: () => ({
    ...{ decides: 'once', evicts: true, isNested: false, isDenseBefore: true, approximates: false },
    ...{ sets: 'layer', cache: 'tokens', positions: 'model', unit: 'sentence' },
    wants: { hidden: true, recorded: true, rereading: true },
  }),
  blocks: (_parameters, tokens, evictAt, context) =>
    blocksAround(evictAt, tokens, defaultChunkTokens(context)),
  start,
  cost(parameters, context, layer, { position, evictAt }) {
    const { headDimension, keyValueHeads } = context;
    const isAfter = position >= evictAt && evictAt > 0;
    const kept = keptAtEviction(parameters, layer, evictAt);
    const keptKeys = isAfter ? kept + position + 1 - evictAt : position + 1;
    return {
      keptKeys,
      selectionOperations: 0,
      readNumbers: 2 * keyValueHeads * headDimension * keptKeys,
    };
  },
  /** In one layer for all: every hidden state, as wide as the heads together, into a mean. */
  onceOperations(parameters, { queryHeads, headDimension, tokens, layers }, layer, { evictAt }) {
    const isOwn = layer === Math.min(numberIn(parameters, 'hiddenLayer', layer), layers - 1);
    return isOwn && keptAtEviction(parameters, layer, evictAt) < evictAt
      ? tokens * queryHeads * headDimension
      : 0;
  },
  memory: (_parameters, { tokens, layers }) => [
    { label: 'scores of sentences', elements: tokens, count: 1 },
    { label: 'kept keys', elements: tokens + 1, count: layers },
  ],
  withBudget: evictOnceBudget,
};

/** What stays, where a budget keeps so many tokens at most. */
interface Chosen {
  readonly count: number;
  readonly list: DeviceBuffer;
  readonly tied: DeviceBuffer;
}

interface Scored {
  readonly sentences: readonly QueryBlock[];
  readonly scores: readonly number[];
}

function start(context: MethodContext, parameters: Parameters): MethodRun {
  const { ops, evictAt, promptEnd, layers, memo } = context;
  const hiddenLayer = numberIn(parameters, 'hiddenLayer', 0);
  const budgetOf = (layer: number): number => keptAtEviction(parameters, layer, evictAt);
  /** By budget, which layers may differ in. */
  const chosen = new Map<number, Chosen>();
  let byToken: DeviceBuffer | null = null;

  async function score(): Promise<Scored> {
    const hidden = context.recorded?.find(({ layer }) => layer === hiddenLayer)?.hidden;
    if (!hidden || !context.rereading) {
      throw new UserError(
        'sentences compares hidden states of the text, which takes a model that has read it with full attention; a capture has none, so choose another method or run the model.',
      );
    }
    const { ids, textsOf } = context.rereading;
    if (!textsOf) {
      throw new UserError(
        'sentences needs the words of the text, and this model has no tokenizer; choose another method.',
      );
    }
    const texts = textsOf([...ids]);
    const all = sentencesOf(texts, evictAt);
    const rows = await ops.readFloats(
      hidden.buffer,
      hidden.offset,
      Math.max(promptEnd, evictAt) * hidden.channels,
    );
    const question = questionOf(all, texts, context);
    return { sentences: all, scores: likeness(rows, hidden.channels, all, question) };
  }

  function choose({ sentences: all, scores }: Scored, ofTokens: Float32Array, budget: number): Chosen {
    const tokens = bestSentences(all, scores, budget).flatMap(({ start: from, end }) =>
      Array.from({ length: end - from }, (_, i) => from + i),
    );
    const cut = tokens.reduce((least, token) => Math.min(least, ofTokens[token]!), Number.POSITIVE_INFINITY);
    return {
      count: tokens.length,
      list: ops.upload(Uint32Array.from(tokens.length > 0 ? tokens : [0]), 'kept keys'),
      tied: ops.upload(Uint32Array.of(ofTokens.filter((own) => own === cut).length), 'tied at the cut'),
    };
  }

  return {
    notices: evictAt > 0 ? [] : [NOTHING_TO_EVICT],
    async prepare(_recorded, signal) {
      const budgets = new Set(Array.from({ length: layers }, (_, layer) => budgetOf(layer)));
      budgets.delete(evictAt);
      if (budgets.size === 0) return;
      const key = `sentences/${hiddenLayer}/${evictAt}`;
      const scored = await rememberedLater(memo, key, 64 * evictAt, score, signal);
      const ofTokens = new Float32Array(evictAt);
      scored.sentences.forEach((sentence, i) => {
        ofTokens.fill(scored.scores[i]!, sentence.start, sentence.end);
      });
      byToken = ops.upload(ofTokens, 'scores of sentences');
      for (const budget of budgets) chosen.set(budget, choose(scored, ofTokens, budget));
    },
    select({ layer, block }) {
      const own = chosen.get(budgetOf(layer));
      if (block.start < evictAt || !own) return keepEverything(Math.min(block.start, evictAt));
      const { count, list, tied } = own;
      return {
        list: count > 0 ? { buffer: list, offset: 0, sets: 1, count, rowStride: count } : null,
        rangeStart: evictAt,
        candidates: { start: 0, end: evictAt },
        score: { rows: denseScores(byToken!, 1, evictAt), scoreStart: 0 },
        tiedAtCut: count > 0 ? { buffer: tied, offset: 0, sets: 1 } : null,
        owned: [],
      };
    },
    mark() {},
    rewind() {},
    dispose() {
      for (const { list, tied } of chosen.values()) ops.release(list, tied);
      chosen.clear();
      if (byToken) ops.release(byToken);
      byToken = null;
    },
  };
}
