/** One query row: full attention's weight of every token, what the method did with it, and why. */
import { sliceHeads, sliceRows } from '../../gpu/rows';
import { Scratch } from '../../gpu/scratch';
import type { FirstStage, Method, MethodRun, QueryBlock, Selection, Traits } from '../methods/method';
import type { Parameters } from '../methods/parameters';
import { hasWindow, type Trace } from '../trace/trace';
import { choose } from './choices';
import type { Memo } from './memo';
import { firstWeightOf } from './missed';
import { isOwnRun, ownRowWeights } from './own-positions';
import { KEY_FATES, type KeyFate, type QueryRow, type RowRule } from './results';
import { type KeptKeys, readKept, readScoreRows, readScores, setOfHead } from './selection-reader';
import { startTraceRun, type TraceRun } from './trace-run';

export interface ExplainRequest {
  readonly text: Trace;
  readonly method: Method;
  readonly parameters: Parameters;
  /** The layer's number; it must be in the trace. */
  readonly layer: number;
  readonly head: number;
  readonly query: number;
  /** Where methods that evict once do so. */
  readonly evictAt: number;
  /** Whose positions the weights are under; the model's by default. */
  readonly positions?: 'model' | 'own';
  readonly memo?: Memo;
}

export async function explainRow(request: ExplainRequest): Promise<QueryRow> {
  const { text, method, parameters, layer, head, query, evictAt } = request;
  const { ops, tokens, queryHeads } = text;
  const layerTrace = text.layerTraces.find((entry) => entry.layer === layer);
  if (!layerTrace) throw new RangeError(`layer ${layer} is not recorded`);
  if (hasWindow(layerTrace)) return windowRow(request, layerTrace.window);
  const started = await startTraceRun(text, method, parameters, evictAt, {
    layers: [layerTrace],
    memo: request.memo,
  });
  const { run, blocks } = started;
  try {
    const block = blocks.find(({ start, end }) => start <= query && query < end);
    if (!block) throw new RangeError(`query ${query} is outside the text of ${tokens} tokens`);
    run.comparisons?.remember();
    if (started.traits.decides === 'whileReading') {
      const earlier = blocks.slice(0, blocks.indexOf(block));
      for (const { selections } of choose(started, layerTrace, earlier, undefined)) {
        for (const { owned } of selections) ops.release(...owned);
        await ops.pace();
      }
    }
    const selection = run.select(started.inputOf(layerTrace, block));
    const isScored = ['scores', 'neighbour', 'file'].includes(selection.decidedBy ?? 'scores');
    const reads = Promise.all([
      readKept(ops, selection),
      isScored ? readScores(ops, selection, tokens) : null,
      isScored ? readScores(ops, selection, tokens, 'secondary') : null,
      selection.firstStage ? readScoreRows(ops, selection.firstStage.rows) : null,
      selection.firstStage?.secondary ? readScoreRows(ops, selection.firstStage.secondary) : null,
      request.positions === 'own' && isOwnRun(run)
        ? ownRowWeights(text, run, layerTrace, head, block, query)
        : rowWeights(text, request),
    ]);
    ops.release(...selection.owned);
    const [[kept, scores, secondary, first, firstSecondary, weights], , comparisons] = await Promise.all([
      reads,
      started.checkScores(),
      run.comparisons?.of(layer),
    ]);
    const set = setOfHead(kept.sets, head, queryHeads);
    const { rule, fates } = fatesOf(request, started, selection, kept, block);
    const rowIn = (rows: Float32Array[] | null): Float32Array | null =>
      rows && rows[setOfHead(rows, head, queryHeads)]!;
    const settled =
      first && inFirstStage(selection.firstStage!, kept.sets[set]!, rowIn(first)!, rowIn(firstSecondary));
    const ofCandidates = (rows: Float32Array[] | null): Float32Array | null =>
      rows && onlyCandidates(rowIn(rows)!, kept.candidates, settled);
    return {
      method: { id: method.id, parameters },
      layer,
      head,
      query,
      positions: request.positions === 'own' && isOwnRun(run) ? 'own' : 'model',
      weights,
      firstWeight: firstWeightOf(weights),
      fates,
      rule: comparisons
        ? { ...rule, comparisons: comparisons[setOfHead(comparisons, head, queryHeads)]! }
        : rule,
      scores: ofCandidates(scores),
      secondary: ofCandidates(secondary),
    };
  } finally {
    started.dispose();
  }
}

/** Of a layer that sees a window by itself. */
async function windowRow(request: ExplainRequest, window: number): Promise<QueryRow> {
  const { text, method, parameters, layer, head, query } = request;
  const weights = await rowWeights(text, request);
  const code = (fate: KeyFate): number => KEY_FATES.indexOf(fate);
  const fates = new Uint8Array(text.tokens)
    .fill(code('dropped'), 0, query + 1)
    .fill(code('future'), query + 1);
  fates.fill(code('local'), Math.max(0, query + 1 - window), query + 1);
  return {
    ...{ method: { id: method.id, parameters }, layer, head, query, positions: 'model' },
    ...{ weights, firstWeight: firstWeightOf(weights), fates, scores: null, secondary: null },
    rule: { kind: 'window', partitions: null, evictedAt: null },
  };
}

/** Full attention's probability of every token, [T]; 0 after the query. */
async function rowWeights(text: Trace, { layer, head, query }: ExplainRequest): Promise<Float32Array> {
  const { ops, scores, keyValueHeads, queryHeads, tokens } = text;
  const layerTrace = text.layerTraces.find((entry) => entry.layer === layer)!;
  const scratch = new Scratch(ops);
  const out = scratch.floats(query + 1, 'weights of one query');
  const { logSumExp } = layerTrace;
  ops.attentionProbabilities({
    query: sliceRows(sliceHeads(layerTrace.query, head, 1), query, 1),
    key: sliceRows(
      sliceHeads(layerTrace.key, Math.floor((head * keyValueHeads) / queryHeads), 1),
      0,
      query + 1,
    ),
    ...scores,
    logSumExp: { ...logSumExp, offset: logSumExp.offset + head * logSumExp.headStride + query },
    causalOffset: query,
    window: layerTrace.window,
    out,
  });
  const read = ops.readFloats(out);
  scratch.release();
  const weights = new Float32Array(tokens);
  weights.set(await read);
  return weights;
}

/** What decided about the keys of a query, and what became of every token, as index into KEY_FATES: what the query's block was shown. */
export function fatesOf(
  request: Pick<ExplainRequest, 'text' | 'method' | 'parameters' | 'layer' | 'head' | 'query' | 'evictAt'>,
  { run, traits }: Pick<TraceRun, 'run' | 'traits'>,
  selection: Selection,
  kept: KeptKeys,
  { start }: QueryBlock,
): { readonly rule: RowRule; readonly fates: Uint8Array } {
  const { text, head, query } = request;
  const rule = rowRule(request, selection, start, run);
  const set = setOfHead(kept.sets, head, text.queryHeads);
  const { waitingEnd } = selection;
  return {
    rule,
    fates: keyFates({ ...kept, waitingEnd }, set, rule, start, query, text.tokens, traits.cache),
  };
}

/** What decided about the keys before the block. */
function rowRule(
  {
    method,
    parameters,
    ...request
  }: Pick<ExplainRequest, 'method' | 'parameters' | 'layer' | 'head' | 'evictAt'>,
  {
    decidedBy,
    because,
    segmentTokens,
    candidates,
    firstStage,
    subCaches,
    score,
    threshold,
    droppedEarlier,
    readSince,
  }: Selection,
  blockStart: number,
  run: MethodRun,
): RowRule {
  const { decides, evicts, evictsAt, unitName, cache } = method.traits(parameters);
  const evictAt = evictsAt ?? request.evictAt;
  const evictsOnce = decides === 'once';
  const isBefore = evictsOnce && blockStart < evictAt;
  const goes = isBefore || decides === 'whileReading' ? 'not-yet' : 'room';
  const open = because ?? (evicts ? goes : 'room');
  const kept = decides === 'never' || cache === 'pruned' ? 'everything' : open;
  return {
    kind: decidedBy === 'nothing' ? kept : (decidedBy ?? 'scores'),
    partitions: segmentTokens === undefined ? null : { start: candidates.start, tokens: segmentTokens },
    evictedAt: evictsOnce && !isBefore ? evictAt : null,
    ...(score && unitName && (score.tokensPerScore || threshold !== undefined)
      ? { unit: { name: unitName, tokens: unitTokens(score) } }
      : {}),
    ...(threshold !== undefined && { threshold }),
    ...(droppedEarlier && { droppedEarlier }),
    ...(firstStage && { stages: firstStage.names }),
    ...(subCaches && { subCaches }),
    ...(readSince !== undefined && { readSince }),
    ...(decidedBy === 'pattern' && { pattern: run.ruleOf!(request.layer, request.head) }),
  };
}

/** Consecutive tokens that one score is for; null: each has an entry. */
function unitTokens({ scoreStart, tokensPerScore }: NonNullable<Selection['score']>) {
  return tokensPerScore === undefined ? null : { start: scoreStart, each: tokensPerScore };
}

/** Of the kept tokens of a set those that were before the scores were asked. */
function inFirstStage(
  { count, isLaterFirst }: FirstStage,
  kept: Uint32Array,
  scores: Float32Array,
  secondary: Float32Array | null,
): ReadonlySet<number> {
  const later = isLaterFirst ? -1 : 1;
  const order = [...kept].sort(
    (a, b) => scores[b]! - scores[a]! || (secondary ? secondary[b]! - secondary[a]! : 0) || later * (a - b),
  );
  return new Set(order.slice(0, count(kept.length)));
}

/** Scores of keys that they did not decide about are none. */
function onlyCandidates(
  scores: Float32Array,
  { start, end }: { readonly start: number; readonly end: number },
  settled: ReadonlySet<number> | null,
): Float32Array {
  return scores.map((score, token) =>
    token >= start && token < end && !settled?.has(token) ? score : Number.NaN,
  );
}

/** What became of every token for one query, as index into KEY_FATES. */
function keyFates(
  { sets, rangeStart, candidates, waitingEnd = 0 }: KeptKeys & Pick<Selection, 'waitingEnd'>,
  set: number,
  { kind, evictedAt, readSince }: RowRule,
  blockStart: number,
  query: number,
  tokens: number,
  cache: Traits['cache'],
): Uint8Array {
  const code = (fate: KeyFate): number => KEY_FATES.indexOf(fate);
  const isChosen = kind === 'scores' || kind === 'neighbour' || kind === 'lot' || kind === 'file';
  const keptFate = (token: number): number => {
    if (kind === 'pattern') return code('selected');
    if (token >= Math.max(blockStart, candidates.end)) return code('own-block');
    if (token >= (evictedAt ?? readSince ?? tokens)) return code('since');
    if (token < candidates.start) return code('sink');
    if (token >= candidates.end) return code(token < waitingEnd ? 'undecided' : 'local');
    return code(isChosen ? 'selected' : 'undecided');
  };
  const fates = new Uint8Array(tokens)
    .fill(code(cache === 'made' ? 'mixed' : 'dropped'), 0, query + 1)
    .fill(code('future'), query + 1);
  for (const token of sets[set]!) fates[token] = keptFate(token);
  for (let token = rangeStart; token <= query; token++) fates[token] = keptFate(token);
  return fates;
}
