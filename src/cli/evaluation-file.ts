/**
 * The file of `evaluate`: one cell per task × length × method, with every answer, so that a later run can go on. Beside it,
 * the file of a process of several: its answers one by one, since a cell counts them in the order of the seeds.
 */
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

const answerSchema = z.object({
  task: z.string(),
  tokens: z.number(),
  label: z.string(),
  seed: z.number(),
  isRight: z.boolean(),
  lossNats: z.number(),
});
export type Answer = z.infer<typeof answerSchema>;

const headSchema = z.looseObject({
  modelDigest: z.string(),
  firstSeed: z.number(),
  /** Every device that has answered. */
  device: z.string().default(''),
});
const evaluationSchema = headSchema.extend({ cells: z.array(cellSchema) });
const partSchema = headSchema.extend({ answers: z.array(answerSchema) });
type Head = z.infer<typeof headSchema>;

function readFile<T extends Head>(path: string, schema: z.ZodType<T>): T | null {
  if (!existsSync(path)) return null;
  const read = schema.safeParse(readJson(path));
  if (!read.success) throw new UserError(`${path} is there and is no evaluation; name another file.`);
  return read.data;
}

/** The evaluation at `path`, null if there is none. Throws UserError for a file that is something else. */
export function readEvaluation(path: string): z.infer<typeof evaluationSchema> | null {
  return readFile(path, evaluationSchema);
}

/** The file of one process of several, null if there is none. Throws UserError for a file that is something else. */
export function readPart(path: string): z.infer<typeof partSchema> | null {
  return readFile(path, partSchema);
}

/** Throws UserError when what is to be gone on with is of another model or other seeds. */
export function checkSameSeeds(path: string, before: Head | null, now: Head): void {
  if (before && (before.modelDigest !== now.modelDigest || before.firstSeed !== now.firstSeed)) {
    throw new UserError(`${path} is of another model or other seeds; name another file, or remove it.`);
  }
}

type Place = Pick<Cell, 'task' | 'tokens' | 'label'>;

export function isSameCell(a: Place, b: Place): boolean {
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
function addAnswer(cell: Cell, { isRight, lossNats }: Answer): void {
  cell.right += isRight ? '1' : '0';
  cell.seeds++;
  cell.lossSumNats += lossNats;
  const hits = [...cell.right].filter((mark) => mark === '1').length;
  const { low, high } = wilsonInterval(hits, cell.seeds);
  cell.accuracy = hits / cell.seeds;
  cell.interval95 = [low, high];
  cell.lossNats = cell.lossSumNats / cell.seeds;
}

/**
 * Counts the answers whose turn it is: a cell's seeds are counted from `firstSeed` up, without gaps, so that its sums do not
 * depend on who answered first.
 * @returns those that come after a seed not yet answered.
 */
export function countAnswers(
  cells: readonly Cell[],
  answers: readonly Answer[],
  firstSeed: number,
): Answer[] {
  const later: Answer[] = [];
  for (const answer of [...answers].sort((a, b) => a.seed - b.seed)) {
    const cell = cells.find((entry) => isSameCell(entry, answer));
    const next = firstSeed + (cell?.seeds ?? 0);
    if (cell && answer.seed === next) addAnswer(cell, answer);
    else if (answer.seed >= next) later.push(answer);
  }
  return later;
}
