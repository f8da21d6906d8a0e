/**
 * The file of `evaluate`: one cell per task × length × method, with every answer, so that a later run can go on. Beside it,
 * the file of a process of several: its answers one by one, since a cell counts them in the order of the seeds.
 *
 * What a file says is only believed where it cannot be computed: the marks of right answers and the sum of losses. The rest is
 * made of these anew.
 */
import { existsSync } from 'node:fs';
import { z } from 'zod';
import { fingerprint } from '../base/fingerprint';
import { quote, shorten } from '../base/quote';
import { UserError } from '../base/user-error';
import { wilsonInterval } from '../measure/wilson';
import { methodById } from '../methods';
import type { Parameters } from '../methods/parameters';
import { evictionChoices } from '../study/spec';
import { readJson } from './files';
import { writeJson } from './output';

const keySchema = z.object({
  task: z.string(),
  tokens: z.number(),
  label: z.string(),
  id: z.string(),
  parameters: z.record(z.string(), z.unknown()),
  /** Where methods that evict once do so; files of earlier versions do not say it. */
  evictAfter: z.enum(evictionChoices).default('context'),
});
export type CellKey = z.infer<typeof keySchema>;

const cellSchema = keySchema.extend({
  /** One character a seed, from firstSeed on: 1 all digits right, 0 not. */
  right: z.string().regex(/^[01]*$/),
  lossSumNats: z.number().min(0),
  seeds: z.number(),
  /** What has to be known beside the numbers, one sentence each. */
  notices: z.array(z.string()).default([]),
});
export interface Cell extends z.infer<typeof cellSchema> {
  readonly accuracy: number | null;
  /** Wilson's, of 95 %; null without a seed. */
  readonly interval95: readonly [low: number, high: number] | null;
  readonly lossNats: number | null;
}

const answerSchema = z.object({
  task: z.string(),
  tokens: z.number(),
  label: z.string(),
  evictAfter: z.enum(evictionChoices).default('context'),
  seed: z.number().int(),
  isRight: z.boolean(),
  lossNats: z.number().min(0),
  notices: z.array(z.string()).default([]),
});
export type Answer = z.infer<typeof answerSchema>;

const headSchema = z.looseObject({
  modelDigest: z.string(),
  firstSeed: z.number().int().min(0),
  /** Every device that has answered. */
  device: z.string().default(''),
  /** Whether texts begin with the start token; null: as the tokenizer has it. */
  startToken: z.boolean().nullable().default(null),
});
const evaluationSchema = headSchema.extend({ cells: z.array(cellSchema) });
const partSchema = headSchema.extend({ answers: z.array(answerSchema) });

export interface EvaluationHead {
  readonly version: string;
  readonly model: string;
  readonly modelDigest: string;
  readonly backend: string;
  readonly device: string;
  readonly firstSeed: number;
  /** Null: as the tokenizer has it. */
  readonly startToken: boolean | null;
  readonly units: object;
  /** Of the model, one sentence each. */
  readonly notices: readonly string[];
}
type Head = z.infer<typeof headSchema>;

function readFile<T extends Head>(path: string, schema: z.ZodType<T>): T | null {
  if (!existsSync(path)) return null;
  const read = schema.safeParse(readJson(path));
  if (read.success) return read.data;
  const [issue] = read.error.issues;
  const at = issue!.path.length > 0 ? ` (wrong at ${quote(issue!.path.join('.'))})` : '';
  throw new UserError(`${path} is there and is no evaluation${at}; name another file, or mend or remove it.`);
}

/** The evaluation at `path`, null if there is none. Throws UserError for a file that is something else, or contradicts itself. */
export function readEvaluation(path: string): (Head & { cells: Cell[] }) | null {
  const file = readFile(path, evaluationSchema);
  if (!file) return null;
  for (const [i, cell] of file.cells.entries()) {
    const place = cell.evictAfter === 'question' ? ', after the question' : '';
    const name = `${cell.task}, ${cell.tokens} tokens, ${quote(cell.label)}${place}`;
    if (cell.seeds !== cell.right.length) {
      throw new UserError(
        `${path} counts ${cell.seeds} seeds for ${name}, but has ${cell.right.length} answers there; mend or remove it.`,
      );
    }
    if (file.cells.findIndex((other) => isSameCell(other, cell)) < i)
      throw new UserError(`${path} has two cells for ${name}; mend or remove it.`);
  }
  return { ...file, cells: file.cells.map(counted) };
}

/** The file of one process of several, null if there is none. Throws UserError for a file that is something else. */
export function readPart(path: string): (Head & { answers: Answer[] }) | null {
  return readFile(path, partSchema);
}

/** Versions whose answers may mean something else, and that did not write whether texts begin with the start token. */
const isOld = ({ version }: Head): boolean => typeof version === 'string' && /^0\.[01]\./.test(version);

/** Throws UserError when what is to be gone on with is of another model or other seeds. */
export function checkSameSeeds(
  path: string,
  before: Head | null,
  now: Pick<EvaluationHead, 'modelDigest' | 'firstSeed' | 'startToken'>,
): void {
  if (before && !isOld(before) && before.startToken !== now.startToken) {
    throw new UserError(
      `${path} is of texts ${before.startToken === true ? 'with' : 'without'} --start-token; name another file, or remove it.`,
    );
  }
  if (before && (before.modelDigest !== now.modelDigest || before.firstSeed !== now.firstSeed)) {
    throw new UserError(`${path} is of another model or other seeds; name another file, or remove it.`);
  }
}

/**
 * Throws UserError where what an older version answered were texts that began otherwise: 0.1.0 put a start token before them that
 * only a configuration names. `earlier` and `present` are the ids before every text, of that version and of this.
 */
export function checkSameStart(
  path: string,
  before: Head | null,
  { earlier, present }: { readonly earlier: readonly number[]; readonly present: readonly number[] },
): void {
  if (!before || !isOld(before) || fingerprint(earlier) === fingerprint(present)) return;
  const [how, option] =
    earlier.length > 0 ? ['with its', '--start-token'] : ['without a', '--no-start-token'];
  throw new UserError(
    `${path} is of version ${shorten(String(before.version), 40)}, where this model's texts began ${how} start token; go on with ${option}, or name another file.`,
  );
}

/**
 * Throws UserError where answers of another meaning would be added to: before 0.2.0 the kept fraction of methods that evict once
 * was one of the whole text (docs/methods.md, "Budgets").
 */
export function checkSameMeaning(
  path: string,
  before: (Head & { cells: readonly Cell[] }) | null,
  plan: readonly CellKey[],
): void {
  if (!before || !isOld(before)) return;
  const moved = before.cells.find(
    (cell) => cell.seeds > 0 && plan.some((key) => isSameCell(key, cell)) && evictsOnce(cell),
  );
  if (!moved) return;
  throw new UserError(
    `${path} is of version ${shorten(String(before.version), 40)}, where the kept fraction of ${quote(moved.label)} meant one of the whole text; name another file, or another label.`,
  );
}

/** Whether a cell's method evicts once, its choices being as they are left out. */
function evictsOnce({ id, parameters }: CellKey): boolean {
  const method = methodById(id);
  const context = {
    tokens: 1,
    trainedTokens: null,
    layers: 1,
    queryHeads: 1,
    keyValueHeads: 1,
    headDimension: 2,
  };
  const choices = Object.entries(method.parameters).flatMap(([name, schema]) =>
    schema.kind === 'choice' || schema.kind === 'table'
      ? [[name, parameters[name] ?? schema.default(context, {})] as const]
      : [],
  );
  return method.traits(Object.fromEntries(choices) as Parameters).decides === 'once';
}

type Place = Pick<CellKey, 'task' | 'tokens' | 'label' | 'evictAfter'>;

export function isSameCell(a: Place, b: Place): boolean {
  return a.task === b.task && a.tokens === b.tokens && a.label === b.label && a.evictAfter === b.evictAfter;
}

/** The cell of that key in `cells`, added empty if it is not there. Throws UserError for other parameters under its label. */
export function cellOf(cells: Cell[], key: CellKey): Cell {
  const cell = cells.find((entry) => isSameCell(entry, key));
  if (!cell) {
    const { task, tokens, label, id, parameters, evictAfter } = key;
    const empty = { right: '', lossSumNats: 0, seeds: 0, notices: [] };
    cells.push(counted({ task, tokens, label, id, parameters, evictAfter, ...empty }));
    return cells[cells.length - 1]!;
  }
  if (fingerprint([cell.id, cell.parameters]) !== fingerprint([key.id, key.parameters])) {
    throw new UserError(
      `The file has other parameters under the label "${key.label}"; use another label or file.`,
    );
  }
  return cell;
}

/** A cell with what follows from its answers. */
function counted(cell: z.infer<typeof cellSchema>): Cell {
  const { task, tokens, label, id, parameters, evictAfter, right, lossSumNats, notices } = cell;
  const seeds = right.length;
  const hits = [...right].filter((mark) => mark === '1').length;
  const { low, high } = wilsonInterval(hits, seeds);
  return {
    ...{ task, tokens, label, id, parameters, evictAfter, right, lossSumNats, seeds },
    accuracy: seeds === 0 ? null : hits / seeds,
    interval95: seeds === 0 ? null : [low, high],
    lossNats: seeds === 0 ? null : lossSumNats / seeds,
    notices,
  };
}

/**
 * Counts the answers whose turn it is into `cells`: a cell's seeds are counted from `firstSeed` up, without gaps, so that its
 * sums do not depend on who answered first.
 * @returns those that come after a seed not yet answered.
 */
export function countAnswers(cells: Cell[], answers: readonly Answer[], firstSeed: number): Answer[] {
  const later: Answer[] = [];
  for (const answer of [...answers].sort((a, b) => a.seed - b.seed)) {
    const at = cells.findIndex((entry) => isSameCell(entry, answer));
    const cell = cells[at];
    const next = firstSeed + (cell?.seeds ?? 0);
    if (cell && answer.seed === next) {
      cells[at] = counted({
        ...cell,
        right: cell.right + (answer.isRight ? '1' : '0'),
        lossSumNats: cell.lossSumNats + answer.lossNats,
        notices: [...new Set([...cell.notices, ...answer.notices])],
      });
    } else if (answer.seed >= next) later.push(answer);
  }
  return later;
}

/** Writes the evaluation: the cells of `plan` in its order, behind what else was there. The same, whoever writes it. */
export function writeEvaluation(
  path: string,
  head: EvaluationHead,
  cells: readonly Cell[],
  plan: readonly CellKey[],
): void {
  const place = (cell: Cell): number => plan.findIndex((key) => isSameCell(key, cell));
  const ordered = [...cells].sort((a, b) => place(a) - place(b));
  write(path, head, { cells: ordered });
}

/** Writes the file of one process of several. */
export function writePart(path: string, head: EvaluationHead, answers: readonly Answer[]): void {
  write(path, head, { answers });
}

function write(path: string, head: EvaluationHead, rest: object): void {
  const { version, model, modelDigest, backend, device, firstSeed, startToken, units, notices } = head;
  const ordered = { version, model, modelDigest, backend, device, firstSeed, startToken, units, notices };
  writeJson(path, { ...ordered, ...rest }, 1);
}
