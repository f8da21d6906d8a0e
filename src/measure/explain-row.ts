/** One query row: full attention's weight of every token, what the method did with it, and why. */
import { sliceHeads, sliceRows } from '../../gpu/rows';
import type { Method } from '../methods/method';
import type { Parameters } from '../methods/parameters';
import type { RecordedText } from '../study/recorded';
import { KEY_FATES, type KeyFate, type QueryRow } from '../study/types';
import type { Memo } from './memo';
import { firstWeightOf } from './missed';
import { layerInput, startProbe } from './probe-run';
import { Scratch } from './scratch';
import { type KeptKeys, readKept, readScores, setOfHead } from './selection-reader';

export interface ExplainRequest {
  readonly text: RecordedText;
  readonly method: Method;
  readonly parameters: Parameters;
  /** The layer's number; it must be recorded. */
  readonly layer: number;
  readonly head: number;
  readonly query: number;
  /** Where methods that evict once do so. */
  readonly evictAt: number;
  readonly memo?: Memo;
}

export async function explainRow(request: ExplainRequest): Promise<QueryRow> {
  const { text, method, parameters, layer, head, query, evictAt } = request;
  const { ops, tokens, queryHeads } = text;
  const recorded = text.recorded.find((entry) => entry.layer === layer);
  if (!recorded) throw new RangeError(`layer ${layer} is not recorded`);
  const started = await startProbe({ ...text, recorded: [recorded] }, method, parameters, evictAt, {
    memo: request.memo,
  });
  const { run, blocks } = started;
  try {
    const block = blocks.find(({ start, end }) => start <= query && query < end);
    if (!block) throw new RangeError(`query ${query} is outside the text of ${tokens} tokens`);
    if (method.family === 'evict-reading') {
      for (const earlier of blocks.slice(0, blocks.indexOf(block))) {
        const input = layerInput(recorded, earlier);
        const selection = run.select(input);
        ops.release(...selection.owned);
        await ops.pace();
      }
    }
    const selection = run.select(layerInput(recorded, block));
    const reads = Promise.all([
      readKept(ops, selection),
      readScores(ops, selection, tokens),
      rowWeights(text, request),
    ]);
    ops.release(...selection.owned);
    const [kept, scores, weights] = await reads;
    const set = setOfHead(kept.sets, head, queryHeads);
    const fates = keyFates(kept, set, block.start, query, tokens);
    const row = scores?.[setOfHead(scores, head, queryHeads)] ?? null;
    const hasOneCut = row && selection.segmentTokens === undefined;
    return {
      method: { id: method.id, parameters },
      layer,
      head,
      query,
      weights,
      firstWeight: firstWeightOf(weights),
      fates,
      scores: row,
      scoreAtCut: hasOneCut && kept.tiedAtCut ? lowestKept(kept, kept.sets[set], row) : null,
      tiedAtCut: kept.tiedAtCut?.[setOfHead(kept.tiedAtCut, head, queryHeads)] ?? null,
    };
  } finally {
    started.dispose();
  }
}

/** Full attention's probability of every token, [T]; 0 after the query. */
async function rowWeights(text: RecordedText, { layer, head, query }: ExplainRequest): Promise<Float32Array> {
  const { ops, attentionScale: scale, keyValueHeads, queryHeads, tokens } = text;
  const recorded = text.recorded.find((entry) => entry.layer === layer)!;
  const scratch = new Scratch(ops);
  const out = scratch.floats(query + 1, 'weights of one query');
  const { logSumExp } = recorded;
  ops.attentionWeights({
    query: sliceRows(sliceHeads(recorded.query, head, 1), query, 1),
    key: sliceRows(
      sliceHeads(recorded.key, Math.floor((head * keyValueHeads) / queryHeads), 1),
      0,
      query + 1,
    ),
    scale,
    logSumExp: { ...logSumExp, offset: logSumExp.offset + head * logSumExp.headStride + query },
    causalOffset: query,
    out,
  });
  const read = ops.readFloats(out);
  scratch.release();
  const weights = new Float32Array(tokens);
  weights.set(await read);
  return weights;
}

/** What became of every token for one query, as index into KEY_FATES. */
function keyFates(
  { sets, rangeStart, candidates }: KeptKeys,
  set: number,
  blockStart: number,
  query: number,
  tokens: number,
): Uint8Array {
  const code = (fate: KeyFate): number => KEY_FATES.indexOf(fate);
  const keptFate = (token: number): number => {
    if (token >= blockStart) return code('own-block');
    if (token < candidates.start) return code('sink');
    return token < candidates.end ? code('selected') : code('local');
  };
  const fates = new Uint8Array(tokens).fill(code('dropped'), 0, query + 1).fill(code('future'), query + 1);
  for (const token of sets[set]) fates[token] = keptFate(token);
  for (let token = rangeStart; token <= query; token++) fates[token] = keptFate(token);
  return fates;
}

function lowestKept({ candidates }: KeptKeys, listed: Uint32Array, scores: Float32Array): number | null {
  let lowest: number | null = null;
  for (const token of listed) {
    if (token < candidates.start || token >= candidates.end) continue;
    if (lowest === null || scores[token] < lowest) lowest = scores[token];
  }
  return lowest;
}
