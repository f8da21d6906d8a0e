/** The map: full attention pooled to pixels, and beside it which share of each pixel's cells a method keeps. */
import type { Ops } from '../../gpu/ops';
import { sliceHeads, sliceRows } from '../../gpu/rows';
import type { BlockSelection } from '../measure/select-all';
import { setOfHead } from '../measure/selection-reader';
import type { RecordedLayer, RecordedText } from './recorded';
import type { MapRegion, MapRequest, MapTile, Thumbnails } from './types';

/**
 * Multiply-adds that one picture may cost before query rows are sampled: about half a second on one CPU core. A GPU is
 * given more. The picture says when it is sampled (`rowStep`).
 */
const CPU_BUDGET = 4e8;
const GPU_BUDGET = 4e10;

/** What the coverage needs to know of a block's selection. */
export type BlockCoverage = Pick<BlockSelection, 'block'> & {
  readonly kept: Pick<BlockSelection['kept'], 'sets' | 'rangeStart'>;
};

/** Cells at or below the diagonal of a region, roughly: those that cost something. */
function causalCells({ rowStart, rowEnd, columnStart, columnEnd }: MapRegion): number {
  const reach = (row: number): number => Math.max(0, Math.min(columnEnd, row + 1) - columnStart);
  return ((reach(rowStart) + reach(rowEnd - 1)) / 2) * (rowEnd - rowStart);
}

function rowStepFor(ops: Ops, cells: number, headDimension: number, rowsPerPixel: number): number {
  const budget = ops.backend === 'cpu' || ops.isSoftware ? CPU_BUDGET : GPU_BUDGET;
  const wanted = Math.ceil((cells * headDimension) / budget);
  return Math.max(1, Math.min(wanted, Math.floor(rowsPerPixel)));
}

/** Paints one region of one head. `selection`: the layer's blocks, ascending; null while they are not there. */
export async function paintTile(
  text: RecordedText,
  layer: RecordedLayer,
  request: MapRequest,
  selection: readonly BlockCoverage[] | null,
): Promise<MapTile> {
  const { ops, headDimension } = text;
  const { rowStart, rowEnd, width, height, head } = request;
  const rowStep = rowStepFor(ops, causalCells(request), headDimension, (rowEnd - rowStart) / height);
  const pixels = width * height;
  const maximum = ops.allocate('f32', pixels, 'map maximum');
  const mean = ops.allocate('f32', pixels, 'map mean');
  try {
    ops.attentionTile({
      ...oneHead(text, layer, head, request),
      width,
      height,
      rowStep,
      maximum,
      mean,
      outOffset: 0,
    });
    const kept = selection && keptShare(request, selection, head, text.queryHeads);
    return {
      ...request,
      maximum: await ops.readFloats(maximum),
      mean: await ops.readFloats(mean),
      kept,
      rowStep,
    };
  } finally {
    ops.release(maximum, mean);
  }
}

/** Thumbnails of every recorded layer and head, in one pass; layers that are missing stay dark. */
export async function paintThumbnails(
  text: RecordedText,
  size: number,
  signal: AbortSignal,
): Promise<Thumbnails> {
  const { ops, tokens, layers, queryHeads, headDimension } = text;
  const whole: MapRegion = { rowStart: 0, rowEnd: tokens, columnStart: 0, columnEnd: tokens };
  const side = Math.min(size, tokens);
  const cells = causalCells(whole) * text.recorded.length * queryHeads;
  const rowStep = rowStepFor(ops, cells, headDimension, tokens / side);
  const maximum = ops.allocate('f32', layers * queryHeads * side * side, 'thumbnails');
  const mean = ops.allocate('f32', maximum.length, 'thumbnail means');
  try {
    for (const layer of text.recorded) {
      for (let head = 0; head < queryHeads; head++) {
        ops.attentionTile({
          ...oneHead(text, layer, head, whole),
          width: side,
          height: side,
          rowStep,
          maximum,
          mean,
          outOffset: (layer.layer * queryHeads + head) * side * side,
        });
        await ops.pace();
        signal.throwIfAborted();
      }
    }
    return { size: side, layers, heads: queryHeads, maximum: await ops.readFloats(maximum), rowStep };
  } finally {
    ops.release(maximum, mean);
  }
}

function oneHead(text: RecordedText, layer: RecordedLayer, head: number, region: MapRegion) {
  const { rowStart, rowEnd, columnStart, columnEnd } = region;
  const group = Math.floor((head * text.keyValueHeads) / text.queryHeads);
  const { buffer, offset, headStride } = layer.logSumExp;
  return {
    query: sliceRows(sliceHeads(layer.query, head, 1), rowStart, rowEnd - rowStart),
    key: sliceRows(sliceHeads(layer.key, group, 1), columnStart, columnEnd - columnStart),
    scale: text.attentionScale,
    logSumExp: { buffer, offset: offset + head * headStride + rowStart, headStride },
    causalOffset: rowStart - columnStart,
  };
}

/** Share of each pixel's causal cells that are kept; pixels without causal cells hold 0. */
export function keptShare(
  request: MapRequest,
  selection: readonly BlockCoverage[],
  head: number,
  queryHeads: number,
): Float32Array {
  const { rowStart, rowEnd, columnStart, columnEnd, width, height } = request;
  const rows = rowEnd - rowStart;
  const columns = columnEnd - columnStart;
  const edges = Array.from({ length: width }, (_, x) => ({
    from: columnStart + Math.floor((x * columns) / width),
    to: columnStart + Math.ceil(((x + 1) * columns) / width),
  }));
  const kept = new Float64Array(width);
  const seen = new Float64Array(width);
  const share = new Float32Array(width * height);
  // listed[t − columnStart]: listed keys of the block below t, so that a pixel's count is one subtraction.
  const listed = new Uint32Array(columns + 1);
  let current: BlockCoverage | null = null;
  for (let y = 0; y < height; y++) {
    kept.fill(0);
    seen.fill(0);
    const first = rowStart + Math.floor((y * rows) / height);
    const last = rowStart + Math.ceil(((y + 1) * rows) / height);
    for (let row = first; row < last; row++) {
      if (!current || row < current.block.start || row >= current.block.end) {
        current = selection.find(({ block }) => row >= block.start && row < block.end) ?? null;
        if (!current) continue;
        countListed(current, head, queryHeads, columnStart, listed);
      }
      for (let x = 0; x < width; x++) {
        const from = edges[x].from;
        const to = Math.min(edges[x].to, row + 1);
        if (to <= from) break;
        seen[x] += to - from;
        kept[x] += listed[to - columnStart] - listed[from - columnStart];
        kept[x] += Math.max(0, to - Math.max(from, current.kept.rangeStart));
      }
    }
    for (let x = 0; x < width; x++) if (seen[x] > 0) share[y * width + x] = kept[x] / seen[x];
  }
  return share;
}

function countListed(
  { kept }: BlockCoverage,
  head: number,
  queryHeads: number,
  columnStart: number,
  listed: Uint32Array,
): void {
  listed.fill(0);
  for (const key of kept.sets[setOfHead(kept.sets, head, queryHeads)]) {
    if (key >= columnStart && key - columnStart + 1 < listed.length) listed[key - columnStart + 1] = 1;
  }
  // Keys left of the region are in no pixel of it.
  for (let i = 1; i < listed.length; i++) listed[i] += listed[i - 1];
}
