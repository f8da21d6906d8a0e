/** Makes the attention of tiles: the engine's side of the pyramid. */
import type { RowScalars, TileOrigin } from '../../gpu/ops';
import type { DeviceBuffer } from '../../gpu/rows';
import { UserError } from '../base/user-error';
import { FIRST_TOKENS, MISSED_FIRST } from '../measure/missed';
import type { LayerTrace, Trace } from '../trace/trace';
import type { FirstWeights } from './factors';
import { causalCells, linesOf, TILE_PIXELS, tileTokens, tokensPerPixel } from './grid';
import type { AttentionReply, PooledLines, TileWork } from './requests';

/** Causal cells that one operation may cover on the CPU, which runs it at once: about 25 ms. */
const CPU_CELLS = 2 ** 20;

/** Maximum, mean and excess. */
const PLANES = 3;

/** Pieces that one operation makes: of one layer, with pixels of one size. */
interface Group {
  readonly layer: LayerTrace;
  readonly level: number;
  readonly rowStep: number;
  readonly lines: number;
  /** Indices into the work. */
  readonly members: number[];
  cells: number;
}

/** Evaluates pieces of tiles. Throws UserError for tiles that the text does not have, or the signal's reason. */
export async function attentionOfTiles(
  text: Trace,
  work: readonly TileWork[],
  signal: AbortSignal,
  firstWeights: FirstWeights,
): Promise<AttentionReply> {
  const { ops, tokens } = text;
  for (const piece of work) checkWork(text, piece);
  const start = performance.now();
  const groups = groupWork(text, work);
  const length = groups.reduce(
    (sum, { lines, members }) => sum + members.length * PLANES * lines * TILE_PIXELS,
    0,
  );
  const layers = [...new Set(groups.map(({ layer }) => layer))];
  signal.throwIfAborted();
  const factors = await firstWeights.use(layers);
  let out: DeviceBuffer | null = null;
  try {
    signal.throwIfAborted();
    out = ops.allocate('f32', length, 'tiles');
    let outOffset = 0;
    for (const group of groups) {
      const buffer = factors.buffers[layers.indexOf(group.layer)]!;
      recordGroup(text, work, group, { buffer, offset: 0, headStride: tokens }, out, outOffset);
      outOffset += group.members.length * PLANES * group.lines * TILE_PIXELS;
      await ops.pace();
      signal.throwIfAborted();
    }
    const pixels = await ops.readFloats(out);
    return { lines: splitPixels(pixels, groups, work.length), milliseconds: performance.now() - start };
  } finally {
    if (out) ops.release(out);
    factors.done();
  }
}

/** Throws UserError for a piece that the text does not have. */
export function checkWork({ layers, queryHeads, tokens }: Trace, piece: TileWork): void {
  const { layer, head, level, row, column, lineStart, lineEnd, rowStep } = piece;
  const isCount = (value: number, end: number): boolean =>
    Number.isInteger(value) && value >= 0 && value < end;
  const rowsOfPixel = tokensPerPixel(level);
  if (
    isCount(layer, layers) &&
    isCount(head, queryHeads) &&
    isCount(level, 31) &&
    isCount(row, tokens) &&
    isCount(column, row + 1) &&
    isCount(lineStart, lineEnd) &&
    isCount(lineEnd, linesOf(piece, tokens) + 1) &&
    Number.isInteger(Math.log2(rowStep)) &&
    rowStep <= rowsOfPixel
  )
    return;
  throw new UserError('This part of the map does not exist for the open text; zoom out and try again.');
}

function groupWork(text: Trace, work: readonly TileWork[]): Group[] {
  const groups: Group[] = [];
  const open = new Map<string, Group>();
  work.forEach((piece, index) => {
    const { level, rowStep, lineStart, lineEnd } = piece;
    const layer = text.layerTraces.find((layerTrace) => layerTrace.layer === piece.layer);
    if (!layer)
      throw new UserError(`There is no layer ${piece.layer} here; layers go from 0 to ${text.layers - 1}.`);
    const lines = lineEnd - lineStart;
    const cells = causalCells(piece, text.tokens, lineStart, lineEnd) / rowStep;
    const key = [piece.layer, level, rowStep, lines].join();
    let group = open.get(key);
    if (!group || (text.ops.backend === 'cpu' && group.cells + cells > CPU_CELLS)) {
      group = { layer, level, rowStep, lines, members: [], cells: 0 };
      open.set(key, group);
      groups.push(group);
    }
    group.members.push(index);
    group.cells += cells;
  });
  return groups;
}

function recordGroup(
  text: Trace,
  work: readonly TileWork[],
  { layer, level, rowStep, lines, members }: Group,
  factors: RowScalars,
  out: ReturnType<Trace['ops']['allocate']>,
  outOffset: number,
): void {
  const scale = tokensPerPixel(level);
  const tiles = members.map((index): TileOrigin => {
    const { head, row, column, lineStart } = work[index]!;
    return { head, row: row * tileTokens(level) + lineStart * scale, key: column * tileTokens(level) };
  });
  text.ops.attentionTiles({
    query: layer.query,
    key: layer.key,
    ...text.scores,
    logSumExp: layer.logSumExp,
    causalOffset: 0,
    window: layer.window,
    tiles,
    width: TILE_PIXELS,
    height: lines,
    tokensPerPixel: scale,
    rowStep,
    factors,
    firstKeys: FIRST_TOKENS,
    firstFactor: 1 / MISSED_FIRST,
    out,
    outOffset,
  });
}

/** Parts of one array, which is posted as a whole; copies would cost more than the tiles that a part may outlive. */
function splitPixels(pixels: Float32Array, groups: readonly Group[], count: number): PooledLines[] {
  const lines = new Array<PooledLines>(count);
  let at = 0;
  for (const group of groups) {
    const size = group.lines * TILE_PIXELS;
    for (const index of group.members) {
      const plane = (number: number) => pixels.subarray(at + number * size, at + (number + 1) * size);
      lines[index] = { maximum: plane(0), mean: plane(1), excess: plane(2) };
      at += PLANES * size;
    }
  }
  return lines;
}
