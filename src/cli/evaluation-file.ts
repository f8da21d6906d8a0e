/** The file of `evaluate`: one cell per task × length × method, with every answer, so that a later run can go on. */
import { existsSync } from 'node:fs';
import { z } from 'zod';
import { wilsonInterval } from '../measure/wilson';
import { UserError } from '../user-error';
import { readJson } from './files';

const cellSchema = z.object({
  task: z.string(),
  tokens: z.number(),
  label: z.string(),
  id: z.string(),
  parameters: z.record(z.string(), z.unknown()),
  /** One character a seed, from firstSeed on: 1 all digits right, 0 not. */
  right: z.string(),
  lossSumNats: z.number(),
  seeds: z.number(),
  accuracy: z.number(),
  interval95: z.tuple([z.number(), z.number()]),
  lossNats: z.number(),
});
export type Cell = z.infer<typeof cellSchema>;
export type CellKey = Pick<Cell, 'task' | 'tokens' | 'label' | 'id' | 'parameters'>;

const fileSchema = z.looseObject({
  modelDigest: z.string(),
  firstSeed: z.number(),
  /** Every device that has answered. */
  device: z.string().default(''),
  cells: z.array(cellSchema),
});
export type EvaluationFile = z.infer<typeof fileSchema>;

/** The evaluation at `path`, null if there is none. Throws UserError for a file that is something else. */
export function readEvaluation(path: string): EvaluationFile | null {
  if (!existsSync(path)) return null;
  const read = fileSchema.safeParse(readJson(path));
  if (!read.success) throw new UserError(`${path} is there and is no evaluation; name another file.`);
  return read.data;
}

/** Cells of an evaluation to go on with. Throws UserError when it is of another model or other seeds. */
export function readCells(path: string, modelDigest: string, firstSeed: number): Cell[] {
  const before = readEvaluation(path);
  if (!before) return [];
  if (before.modelDigest !== modelDigest || before.firstSeed !== firstSeed) {
    throw new UserError(`${path} is of another model or other seeds; name another file, or remove it.`);
  }
  return before.cells;
}

function isSameCell(a: CellKey, b: CellKey): boolean {
  return a.task === b.task && a.tokens === b.tokens && a.label === b.label;
}

/** The cell of that key in `cells`, added empty if it is not there. */
export function cellOf(cells: Cell[], key: CellKey): Cell {
  let cell = cells.find((entry) => isSameCell(entry, key));
  if (cell && JSON.stringify([cell.id, cell.parameters]) !== JSON.stringify([key.id, key.parameters])) {
    throw new UserError(
      `The file has other parameters under the label "${key.label}"; use another label or file.`,
    );
  }
  if (!cell) {
    cell = { ...key, right: '', lossSumNats: 0, seeds: 0, accuracy: 0, interval95: [0, 1], lossNats: 0 };
    cells.push(cell);
  }
  return cell;
}

/** Counts one more answer. */
export function addAnswer(cell: Cell, isRight: boolean, lossNats: number): void {
  cell.right += isRight ? '1' : '0';
  cell.seeds++;
  cell.lossSumNats += lossNats;
  const hits = [...cell.right].filter((mark) => mark === '1').length;
  const { low, high } = wilsonInterval(hits, cell.seeds);
  cell.accuracy = hits / cell.seeds;
  cell.interval95 = [low, high];
  cell.lossNats = cell.lossSumNats / cell.seeds;
}

/** `cells`, each replaced by the one of the same key in `others` that knows more seeds; those not there are added. */
export function mergeCells(cells: readonly Cell[], others: readonly Cell[]): Cell[] {
  const merged = cells.map(
    (cell) => others.find((other) => isSameCell(cell, other) && other.seeds > cell.seeds) ?? cell,
  );
  return [...merged, ...others.filter((other) => !cells.some((cell) => isSameCell(cell, other)))];
}
