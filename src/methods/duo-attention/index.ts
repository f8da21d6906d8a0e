/**
 * DuoAttention (arXiv 2410.10819) as in kvpress (duo_attention_press.py): retrieval heads keep everything, streaming heads only the
 * first and the latest tokens. A head's score says which it is.
 */
import type { IndexList } from '../../../gpu/ops';
import type { DeviceBuffer } from '../../../gpu/rows';
import { blocksAround } from '../blocks';
import { NOTHING_TO_EVICT } from '../budget';
import { defaultChunkTokens, mostTokens, scaledDefault } from '../defaults';
import { keepEverything } from '../keep-everything';
import type { Method, MethodContext, MethodRun, StudyPlaces } from '../method';
import { type NumberTable, numberIn, type ParameterContext, type Parameters, tableOf } from '../parameters';
import { rememberedLater } from '../remember';
import { type Roles, rolesOf, roundHalfEven } from './roles';

/** First and last tokens that a streaming head of the layer keeps. */
function endsIn(parameters: Parameters, layer: number): { sinks: number; recent: number } {
  return {
    sinks: numberIn(parameters, 'sinkTokens', layer),
    recent: numberIn(parameters, 'recentTokens', layer),
  };
}

/** How many heads stream, of all layers; where layers have a share each, of their mean. */
function streamingHeads(
  parameters: Parameters,
  { layers, keyValueHeads }: Pick<ParameterContext, 'layers' | 'keyValueHeads'>,
): number {
  let shares = 0;
  for (let layer = 0; layer < layers; layer++) shares += numberIn(parameters, 'streamingFraction', layer);
  return roundHalfEven(keyValueHeads * shares);
}

export const duoAttention: Method = {
  id: 'duo-attention',
  title: 'DuoAttention',
  summary: 'Keeps every key in retrieval heads, and only the first and the latest tokens in streaming heads.',
  does: 'allocate',
  citation: {
    authors: 'Xiao, Tang, Zuo, Guo, Yang, Tang, Fu, Han',
    year: 2024,
    url: 'https://arxiv.org/abs/2410.10819',
  },
  presets: {
    kvpress: { parameters: { sinkTokens: 128, recentTokens: 256 }, evictAfter: 'context' },
  },
  parameters: {
    streamingFraction: {
      kind: 'fraction',
      label: 'Streaming heads',
      help: 'Share of the KV heads of all layers that stream, those with the lowest scores, in whichever layer. kvpress calls it head_compression_ratio.',
      minimum: 0,
      maximum: 1,
      unit: '%',
      default: () => 0.5,
    },
    sinkTokens: {
      kind: 'count',
      label: 'Sink tokens',
      help: 'First tokens of the text that a streaming head keeps.',
      unit: 'tokens',
      minimum: 0,
      maximum: mostTokens,
      ...scaledDefault(32, 4, 128),
    },
    recentTokens: {
      kind: 'count',
      label: 'Recent tokens',
      help: 'Last tokens before the eviction that a streaming head keeps.',
      unit: 'tokens',
      minimum: 1,
      maximum: mostTokens,
      ...scaledDefault(16, 16, 256),
    },
    headScores: {
      kind: 'table',
      label: 'Head scores',
      symbol: 'α',
      help: 'How much a head needs the whole text, from training or from elsewhere; left out, scores are found on the text before the eviction.',
      unit: 'a score',
      minimum: 0,
      maximum: 1,
      row: 'layer',
      column: 'KV head',
      shape: ({ layers, keyValueHeads }) => ({ rows: layers, columns: keyValueHeads }),
      default: () => [],
      defaultRule: 'none: found on the text',
    },
  },
  notes: (parameters) =>
    tableOf(parameters, 'headScores')
      ? []
      : [
          'Head scores are found without training, from mean queries and keys of this text, as kvpress does from other texts; DuoAttention’s own are trained. Cost is counted as if every layer had its share of streaming heads.',
        ],
  traits: (parameters) => ({
    ...{ decides: 'once', evicts: true, isNested: false, approximates: false },
    ...{ sets: 'kvHead', cache: 'tokens', unit: 'head', positions: 'model' },
    wants: tableOf(parameters, 'headScores') ? {} : { recorded: true, unrotated: true },
  }),
  blocks: (_parameters, tokens, evictAt, context) =>
    blocksAround(evictAt, tokens, defaultChunkTokens(context)),
  start: startDuo,
  cost(parameters, context, layer, { position, evictAt }) {
    const keptKeys =
      position < evictAt
        ? position + 1
        : keptOnAverage(parameters, context, layer, evictAt) + position + 1 - evictAt;
    return {
      keptKeys,
      selectionOperations: 0,
      readNumbers: 2 * context.keyValueHeads * context.headDimension * keptKeys,
    };
  },
  memory: (_parameters, { layers, keyValueHeads, tokens }) => [
    { label: 'kept keys', elements: keyValueHeads * (tokens + 1), count: layers },
  ],
  withBudget: streamingFor,
};

/** Keys of the tokens before the eviction that a head of the layer keeps, mean over heads; over those of all layers where no scores are given. */
function keptOnAverage(
  parameters: Parameters,
  context: Pick<ParameterContext, 'layers' | 'keyValueHeads'>,
  layer: number,
  evictAt: number,
): number {
  const scores = tableOf(parameters, 'headScores');
  const count = streamingHeads(parameters, context);
  const share = scores
    ? rolesOf(scores, count)[layer]!.filter(Boolean).length / context.keyValueHeads
    : count / (context.layers * context.keyValueHeads);
  const { sinks, recent } = endsIn(parameters, layer);
  return evictAt - share * Math.max(0, evictAt - sinks - recent);
}

/** As many streaming heads as it takes to keep ⌊f·S⌋ keys on average at most. */
function streamingFor(
  parameters: Parameters,
  context: ParameterContext,
  keepFraction: number,
  places: StudyPlaces,
): ReturnType<Method['withBudget']> {
  const { evictAt } = places;
  if (evictAt <= 0) return { reason: NOTHING_TO_EVICT };
  const heads = context.layers * context.keyValueHeads;
  const keptWith = (count: number): number => {
    const given = { ...parameters, streamingFraction: count / heads };
    let sum = 0;
    for (let layer = 0; layer < context.layers; layer++) sum += keptOnAverage(given, context, layer, evictAt);
    return sum / context.layers;
  };
  // Rounding apart: heads that all keep everything are within a budget of everything.
  const most = Math.floor(keepFraction * evictAt) + 1e-9;
  const count = Array.from({ length: heads + 1 }, (_, i) => i).find((i) => keptWith(i) <= most);
  if (count === undefined) return { floor: keptWith(heads) / evictAt };
  return { parameters: { ...parameters, streamingFraction: count / heads } };
}

function startDuo(context: MethodContext, parameters: Parameters): MethodRun {
  const { ops, evictAt } = context;
  const notices: string[] = evictAt > 0 ? [] : [NOTHING_TO_EVICT];
  const lists = new Map<number, IndexList>();
  let roles: Roles | null = null;

  function listOf(layer: number): IndexList {
    const held = lists.get(layer);
    if (held) return held;
    const list = keptOf(roles![layer]!, endsIn(parameters, layer));
    lists.set(layer, list);
    return list;
  }

  /** Both ends for heads that stream, every token for the others, each row with its length behind all. */
  function keptOf(streams: readonly boolean[], { sinks, recent }: ReturnType<typeof endsIn>): IndexList {
    const sets = streams.length;
    const count = streams.every(Boolean) ? sinks + recent : evictAt;
    const rows = new Uint32Array(sets * (count + 1));
    for (const [set, isStreaming] of streams.entries()) {
      const kept = isStreaming ? sinks + recent : evictAt;
      const skipped = evictAt - kept;
      for (let i = 0; i < kept; i++) rows[set * count + i] = isStreaming && i >= sinks ? i + skipped : i;
      rows[sets * count + set] = kept;
    }
    const buffer: DeviceBuffer = ops.upload(rows, 'kept keys');
    return { buffer, offset: 0, sets, count, rowStride: count, countsOffset: sets * count };
  }

  return {
    notices,
    async prepare(_recorded, signal) {
      if (evictAt <= 0) return;
      const find = async (): Promise<NumberTable> => {
        const { scoresOnTheFly } = await import('./found-scores');
        return scoresOnTheFly(context);
      };
      const scores =
        tableOf(parameters, 'headScores') ??
        (await rememberedLater(
          context.memo,
          `duo-attention/${evictAt}`,
          8 * context.layers * context.keyValueHeads,
          find,
          signal,
        ));
      roles = rolesOf(scores, streamingHeads(parameters, context));
      const counts = roles.map((streams) => streams.filter(Boolean).length).join(', ');
      notices.push(`Streaming heads by layer, of ${context.keyValueHeads} each: ${counts}.`);
    },
    select({ layer, block }) {
      if (block.start < evictAt) return keepEverything(block.start);
      const { sinks, recent } = endsIn(parameters, layer);
      if (!roles || sinks + recent >= evictAt) return keepEverything(evictAt);
      if (!roles[layer]!.includes(true)) return { ...keepEverything(evictAt), decidedBy: 'head' };
      return {
        list: listOf(layer),
        rangeStart: evictAt,
        candidates: { start: sinks, end: sinks },
        ...{ score: null, tiedAtCut: null, decidedBy: 'head', owned: [] },
      };
    },
    // Lists follow from scores and places, whatever was read since.
    mark() {},
    rewind() {},
    dispose() {
      for (const { buffer } of lists.values()) ops.release(buffer);
      lists.clear();
    },
  };
}
