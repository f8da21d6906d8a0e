/**
 * Recall and output error of consecutive queries that each keep keys of their own, as the tokens of an answer do: all of them in
 * one pass, every query and head being a head with a list of its own.
 */
import type { IndexList } from '../../gpu/ops';
import { eachRowAsHead } from '../../gpu/rows';
import { Scratch } from '../../gpu/scratch';
import type { LayerInput, VisibleOfEach } from '../methods/method';
import type { Trace } from '../trace/trace';
import { adder, fullAttention, type MeasuredRun, Numbers, projected, twoSpaces } from './layer-blocks';
import type { LayerSums } from './layer-sums';
import { type KeptKeys, setOfHead, writeVisible } from './selection-reader';
import { topKRecallOfEach } from './top-k-recall';

/** How many keys a query of one block lists and sees from rangeStart on; lists of one pass have equally many. */
export interface RowShape {
  /** Null: every token before rangeStart, as many as there are. */
  readonly listed: number | null;
  readonly near: number;
}

/** Null where the query's block has others, which share its list, and where its lists are of different lengths, which own positions do not go with. */
export function rowShape(
  kept: KeptKeys,
  { start, end }: { start: number; end: number },
  isRagged = false,
): RowShape | null {
  const listed = kept.sets[0]!.length;
  const differ = !isRagged && kept.sets.some(({ length }) => length !== listed);
  if (end - start !== 1 || differ) return null;
  return { listed: isWhole(kept) ? null : listed, near: end - kept.rangeStart };
}

/** Whether nothing is left out: lists are ascending and end before rangeStart. */
function isWhole({ sets, rangeStart }: KeptKeys): boolean {
  return sets.every(({ length }) => length === rangeStart);
}

/** Whether a run's attention can be measured for several such queries at once. */
export function measuresRows({ run, cache }: MeasuredRun): boolean {
  return cache === 'tokens' && (!run.attend || run.attendEach !== undefined);
}

/** As `measurePart` for the queries of `part`, of which query i keeps `kept[i]`, all of one shape. */
export async function measureRows(
  text: Trace,
  measured: MeasuredRun,
  part: LayerInput,
  kept: readonly KeptKeys[],
): Promise<(sums: LayerSums) => void> {
  const { ops, scores } = text;
  const { key, value, logSumExp } = part;
  if (!logSumExp) throw new Error('a probe run needs full attention’s log-sum-exp');
  const { heads, rows, channels } = part.query;
  const { run, memo } = measured;
  const scratch = new Scratch(ops);
  const dense = (view: LayerInput['query'] | null): LayerInput['query'] | null => {
    if (!view) return null;
    const copy = scratch.rows(heads, rows, channels, 'queries one by one');
    ops.copyRows({ input: view, out: copy });
    return copy;
  };
  const query = dense(part.query)!;
  const spaces = twoSpaces(scratch, query);
  const model = spaces.at(0);
  const upload = (lists: Uint32Array): IndexList => {
    const sets = heads * rows;
    const count = lists.length / sets;
    return { buffer: scratch.upload(lists, 'keys one by one'), offset: 0, sets, count, rowStride: count };
  };
  const areWhole = kept.every(isWhole);
  if (areWhole) {
    const visible = { range: { start: 0, end: part.block.end, causal: true } };
    ops.attention({ query, key, value, ...scores, visible, ...model });
  } else {
    ops.attention({
      ...{ query: eachRowAsHead(query), key, value, ...scores, out: eachRowAsHead(model.out) },
      visible: { list: everyList(scratch, part, kept, heads), range: { start: 0, end: 0, causal: false } },
      logSumExp: { ...model.logSumExp, headStride: 1 },
    });
  }
  const hasOwn = run.attendEach !== undefined;
  let ofAll: Promise<Float32Array> | null = null;
  if (hasOwn) {
    const asked: LayerInput = {
      ...{ layer: part.layer, block: part.block, query, queryUnrotated: dense(part.queryUnrotated) },
      ...{ key, keyUnrotated: part.keyUnrotated, value, hidden: part.hidden, logSumExp: null },
      queriesBefore: (end) => part.queriesBefore(end),
      prompt: () => part.prompt(),
      inLayer: (layer) => part.inLayer(layer),
      atBlock: (block) => part.atBlock(block),
    };
    const own = spaces.at(1);
    const far = areWhole ? null : upload(listsOf(kept, heads, (of, set) => of.sets[set]!));
    let listed: IndexList | null = null;
    const near = (): IndexList => {
      listed ??= upload(
        listsOf(kept, heads, (of, _set, row) => range(of.rangeStart, part.block.start + row + 1)),
      );
      return listed;
    };
    const visible: VisibleOfEach = { near, far, firstRangeStart: kept[0]!.rangeStart };
    run.attendEach!(asked, visible, own.out, own.logSumExp);
    const readAll = (): Promise<Float32Array> => {
      const out = scratch.rows(heads, rows, channels, 'output as run on all keys');
      const lambda = scratch.scalars(heads, rows, 'log-sum-exp as run on all keys');
      run.attendEach!(asked, { ...visible, far: null }, out, lambda);
      return ops.readFloats(lambda.buffer);
    };
    const name = [measured.methodId, run.attendsBy?.(part.layer), part.layer, visible.firstRangeStart];
    const { start, end } = part.block;
    const remembers = memo && run.attendsBy;
    if (run.farEnd && !areWhole) {
      ofAll = remembers
        ? memo.get(`own-each/${[...name, start, end].join('/')}`, () => new Numbers(heads * rows, readAll()))
            .values
        : readAll();
    }
  }
  const parts = hasOwn ? 2 : 1;
  const size = heads * rows * channels;
  const reads = Promise.all([
    fullAttention(text, measured, part),
    ops.readFloats(spaces.out, 0, parts * size),
    ops.readFloats(spaces.lambda, 0, parts * heads * rows),
    ofAll,
    topKRecallOfEach(ops, { query, key, logSumExp, ...scores }, kept),
    projected(scratch, text, part.layer, model.out),
  ]);
  scratch.release();
  const [full, out, lambda, ownOfAll, recalls, afterProjection] = await reads;
  const ownLambda = lambda.subarray(heads * rows);
  return adder(query, full, logSumExp.headStride, {
    model: { out, lambda, projected: afterProjection },
    own: hasOwn
      ? { out: out.subarray(size), lambda: ownLambda, ofAll: areWhole && run.farEnd ? ownLambda : ownOfAll }
      : null,
    isAtModel: measured.positions === 'model',
    recalls,
  });
}

/** One list for every head and query, head by head, all equally long. */
function listsOf(
  kept: readonly KeptKeys[],
  heads: number,
  listOf: (kept: KeptKeys, set: number, row: number) => Uint32Array,
): Uint32Array {
  const count = listOf(kept[0]!, 0, 0).length;
  const lists = new Uint32Array(heads * kept.length * count);
  for (let head = 0; head < heads; head++) {
    for (const [row, of] of kept.entries()) {
      lists.set(listOf(of, setOfHead(of.sets, head, heads), row), (head * kept.length + row) * count);
    }
  }
  return lists;
}

/** All that every head and query sees, head by head, each list with its own length. */
function everyList(
  scratch: Scratch,
  { block }: LayerInput,
  kept: readonly KeptKeys[],
  heads: number,
): IndexList {
  const lengthOf = (of: KeptKeys, row: number): number =>
    Math.max(...of.sets.map(({ length }) => length)) + Math.max(0, block.start + row + 1 - of.rangeStart);
  const count = Math.max(...kept.map(lengthOf));
  const sets = heads * kept.length;
  const data = new Uint32Array(sets * (count + 1));
  for (let head = 0; head < heads; head++) {
    for (const [row, of] of kept.entries()) {
      const set = head * kept.length + row;
      const place = sets + set * count;
      data[set] = writeVisible(of, setOfHead(of.sets, head, heads), block.start + row + 1, data, place);
    }
  }
  const buffer = scratch.upload(data, 'keys one by one');
  return { buffer, offset: sets, sets, count, rowStride: count, countsOffset: 0 };
}

function range(start: number, end: number): Uint32Array {
  const tokens = new Uint32Array(end - start);
  for (let i = 0; i < tokens.length; i++) tokens[i] = start + i;
  return tokens;
}
