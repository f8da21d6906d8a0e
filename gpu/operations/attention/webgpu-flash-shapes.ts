import type { CommandEncoder } from '../../webgpu/command-encoder';
import type { KernelConstants } from '../../webgpu/unroll';

/** How attention-flash.wgsl divides its work: the constants of the same names say more. */
export interface AttentionTile {
  readonly rowThreads: number;
  readonly columnThreads: number;
  readonly rowGroups: number;
  readonly panels: number;
  /** Channels of queries and keys, and number of values, that are in workgroup memory at a time. */
  readonly channels: number;
  readonly values: number;
  readonly threads: number;
  /** Query rows and keys. */
  readonly rows: number;
  readonly keys: number;
}

/** Heads of more channels leave a thread no registers for scores. */
export const MOST_FLASH_CHANNELS = 256;

interface Choice {
  readonly channels: number;
  /** From the fastest to the one that fits the 16 KiB of workgroup memory that every device has. */
  readonly many: readonly AttentionTile[];
  /** For so few rows or keys that smaller tiles leave less of the device idle. */
  readonly some: readonly AttentionTile[];
}

const CHOICES: readonly Choice[] = [
  { channels: 32, many: [shape(8, 4, 2, 2, 16)], some: [shape(8, 8, 1, 2, 16)] },
  {
    channels: 64,
    many: [shape(16, 8, 2, 2, 16, 32), shape(8, 8, 2, 2, 8)],
    some: [shape(8, 8, 1, 2, 16)],
  },
  {
    channels: 128,
    many: [shape(8, 16, 2, 2, 16), shape(16, 8, 1, 2, 8)],
    some: [shape(8, 8, 1, 2, 16), shape(8, 8, 1, 2, 8)],
  },
  {
    channels: MOST_FLASH_CHANNELS,
    many: [shape(8, 16, 1, 2, 16), shape(8, 16, 1, 2, 4)],
    some: [shape(8, 16, 1, 2, 16), shape(8, 16, 1, 2, 4)],
  },
];
const FEW_ROWS = [shape(4, 16, 1, 1, 16), shape(4, 16, 1, 1, 8)];

/**
 * Pairs of a row and a key, for each thread that a device runs at once, from which large tiles are faster: on an H100 between
 * 6 and 8 million in all (docs/performance.md).
 */
const PAIRS_PER_THREAD = 56;

/** The tile for `packs` packs of `rows` rows that see up to `keys` keys. */
export function tileFor(
  encoder: CommandEncoder,
  channels: number,
  rows: number,
  packs: number,
  keys: number,
): AttentionTile {
  const { many, some } = CHOICES.find((choice) => channels <= choice.channels)!;
  const isLarge = rows * packs * keys >= PAIRS_PER_THREAD * encoder.parallelThreads;
  const fitting = (tiles: readonly AttentionTile[]) =>
    tiles.find((tile) => workgroupBytes(tile, channels) <= encoder.capabilities.maxWorkgroupStorageBytes) ??
    tiles.at(-1)!;
  if (rows <= FEW_ROWS[0]!.rows) return fitting(FEW_ROWS);
  return fitting(isLarge && rows > some[0]!.rows ? many : some);
}

function shape(
  rowThreads: number,
  columnThreads: number,
  rowGroups: number,
  panels: number,
  channels: number,
  values = channels,
): AttentionTile {
  return {
    rowThreads,
    columnThreads,
    rowGroups,
    panels,
    channels,
    values,
    threads: rowThreads * columnThreads,
    rows: 4 * rowThreads * rowGroups,
    keys: 4 * columnThreads * panels,
  };
}

export function tileConstants(tile: AttentionTile, channels: number): KernelConstants {
  const { rowThreads, columnThreads, rowGroups, panels, threads, values } = tile;
  const columns = columnsOf(tile, channels);
  const loads = (vectors: number) => Math.ceil(vectors / threads);
  return {
    ROW_THREADS: rowThreads,
    COLUMN_THREADS: columnThreads,
    ROW_GROUPS: rowGroups,
    PANELS: panels,
    COLUMNS: columns,
    CHANNELS: tile.channels,
    VALUE_KEYS: values,
    QUERY_LOADS: loads((rowThreads * rowGroups * tile.channels) / 4),
    KEY_LOADS: loads((columnThreads * panels * tile.channels) / 4),
    VALUE_LOADS: loads(values * columnThreads * columns),
    KEPT_SCORES: 4 * rowGroups * (panels - 1),
  };
}

/** Vectors of a result that a thread has. */
function columnsOf({ columnThreads }: AttentionTile, channels: number): number {
  return Math.ceil(channels / 4 / columnThreads);
}

/** The kernel's workgroup memory. */
export function workgroupBytes(tile: AttentionTile, channels: number): number {
  const rowGroups = tile.rowThreads * tile.rowGroups;
  const stage = Math.max(
    (rowGroups + tile.columnThreads * tile.panels) * (tile.channels + 1),
    tile.columnThreads * columnsOf(tile, channels) * (tile.values + 1),
  );
  const vectors = stage + rowGroups * (4 * tile.columnThreads + 1) + rowGroups;
  return 16 * vectors + 4 * tile.rows + 8 * tile.keys;
}
