/** FreqKV's parameters (arXiv 2505.00570; LUMIA-Group/FreqKV, llama_attn_replace_dct_mempe.py) and the cache that they make. */
import { mostTokens, scaledDefault } from '../defaults';
import { numberIn, type ParameterSchemas, type Parameters } from '../parameters';

export const freqkvParameters: ParameterSchemas = {
  cacheTokens: {
    kind: 'count',
    label: 'Cache',
    help: 'Rows of the full cache: sinks, mixtures and tokens read since. When they are used up, it is compressed.',
    unit: 'rows',
    minimum: 1,
    maximum: mostTokens,
    ...scaledDefault(8, 32, 4096),
    paper: 4096,
  },
  sinkTokens: {
    kind: 'count',
    label: 'Sink tokens',
    help: 'First tokens of the text, never mixed; the published file has 8.',
    unit: 'tokens',
    minimum: 0,
    maximum: mostTokens,
    default: () => 4,
    paper: 4,
  },
  recentTokens: {
    kind: 'count',
    label: 'Recent tokens',
    help: 'Last tokens before a compression, left as they are; the published file has 8, with which its long forward pass does not run.',
    unit: 'tokens',
    minimum: 0,
    maximum: mostTokens,
    default: () => 0,
  },
  retainedFraction: {
    kind: 'fraction',
    label: 'Retained frequencies',
    symbol: 'γ',
    help: 'Of the rows that are compressed so many stay, as the lowest frequencies along the text; at least one row is gained.',
    minimum: 0,
    maximum: 1,
    unit: '%',
    default: () => 0.5,
    paper: 0.5,
  },
  positions: {
    kind: 'choice',
    label: 'Positions',
    help: 'Which rotary position a row of the cache has; a mixture of tokens has none in the text.',
    options: [{ value: 'cache', label: 'in the cache', help: 'A row’s position is its place in the cache.' }],
    default: () => 'cache',
  },
};

/**
 * A layer's cache. It fills up to `fullRows`; then the `spanRows` between the sinks and the last `recentTokens`, mixtures included,
 * become `mixedRows`, and `freedRows` tokens have room.
 */
export interface Cache {
  readonly fullRows: number;
  readonly sinkTokens: number;
  readonly recentTokens: number;
  readonly spanRows: number;
  readonly mixedRows: number;
  readonly freedRows: number;
}

export function cacheIn(parameters: Parameters, layer: number): Cache {
  const fullRows = numberIn(parameters, 'cacheTokens', layer);
  const sinkTokens = numberIn(parameters, 'sinkTokens', layer);
  const recentTokens = numberIn(parameters, 'recentTokens', layer);
  const spanRows = fullRows - sinkTokens - recentTokens;
  const retained = Math.floor(numberIn(parameters, 'retainedFraction', layer) * spanRows);
  const mixedRows = Math.min(retained, spanRows - 1);
  return { fullRows, sinkTokens, recentTokens, spanRows, mixedRows, freedRows: spanRows - mixedRows };
}

/** How often the cache was compressed before a token that so many others precede. */
export function compressions(tokens: number, { fullRows, freedRows }: Cache): number {
  return tokens < fullRows ? 0 : 1 + Math.floor((tokens - fullRows) / freedRows);
}

/** The first token after the sinks that still stands as itself after so many compressions, one at least. */
export function firstUnmixed(times: number, { fullRows, recentTokens, freedRows }: Cache): number {
  return fullRows - recentTokens + (times - 1) * freedRows;
}

/** Rows that the cache holds when it has read so many tokens. */
export function storedRows(tokens: number, cache: Cache): number {
  const times = compressions(tokens, cache);
  return times === 0 ? tokens : cache.sinkTokens + cache.mixedRows + tokens - firstUnmixed(times, cache);
}
