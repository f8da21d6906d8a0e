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
import { EVICTION_CHOICES } from '../methods/method';
import { evictsAtQueries } from '../methods/method-spec';
import { completeParameters, type Parameters } from '../methods/parameters';
import { readJson } from './files';
import { writeJson } from './output';

const keySchema = z.object({
  task: z.string(),
  tokens: z.number(),
  label: z.string(),
  id: z.string(),
  parameters: z.record(z.string(), z.unknown()),
  /** The budget that `parameters` get for each text, a fraction; absent: they are taken as they are. */
  keep: z.number().optional(),
  /** Where methods that evict once do so; files of earlier versions do not say it. */
  evictAfter: z.enum(EVICTION_CHOICES).default('context'),
});
export type CellKey = z.infer<typeof keySchema>;

/** What is added up over seeds beside right and loss. */
const MEASURES = ['digitShare', 'kept', 'massRecall', 'outputError', 'divergenceNats'] as const;
/** Null: an answer is counted that lacks it. */
const measuresSchema = z.partialRecord(z.enum(MEASURES), z.number().nullable());
export type Measures = z.infer<typeof measuresSchema>;

/** One of --examples as a method answered it. */
const exampleSchema = z.object({
  id: z.string(),
  tokens: z.number(),
  /** What was written; empty where it was not run. */
  answer: z.string(),
});

const cellSchema = keySchema.extend({
  /** Of each of --examples in the file's order, beside `right`; absent for tasks. */
  examples: z
    .array(exampleSchema.extend({ right: z.boolean().nullable(), lossNats: z.number().min(0) }))
    .optional(),
  /** One character a seed, from firstSeed on: 1 all digits right, 0 not, - not run, as the budget was below what the method can do. */
  right: z.string().regex(/^[01-]*$/),
  lossSumNats: z.number().min(0),
  sums: measuresSchema.default({}),
  seeds: z.number(),
  /** What has to be known beside the numbers, one sentence each. */
  notices: z.array(z.string()).default([]),
});
export interface Cell extends z.infer<typeof cellSchema> {
  readonly accuracy: number | null;
  /** Wilson's, of 95 %; null without a seed. */
  readonly interval95: readonly [low: number, high: number] | null;
  readonly lossNats: number | null;
  /** Means of what `sums` has. */
  readonly means: Measures;
}

const answerSchema = z.object({
  task: z.string(),
  tokens: z.number(),
  label: z.string(),
  evictAfter: z.enum(EVICTION_CHOICES).default('context'),
  seed: z.number().int(),
  /** Null: not run, and a notice says why. */
  isRight: z.boolean().nullable(),
  lossNats: z.number().min(0),
  example: exampleSchema.optional(),
  measures: measuresSchema.optional(),
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
  /** Whether texts are messages of the model's chat template. */
  chatTemplate: z.boolean().optional(),
  /** The file of --examples; absent: generated tasks. */
  examples: z.object({ file: z.string(), count: z.number(), digest: z.string() }).optional(),
});
const evaluationSchema = headSchema.extend({ cells: z.array(cellSchema) });
const partSchema = headSchema.extend({ answers: z.array(answerSchema) });
const shardSchema = partSchema.extend({
  shard: z.object({ index: z.number().int().min(1), count: z.number().int().min(1) }),
  seeds: z.number().int().min(1),
  cells: z.array(keySchema),
});
export type ShardFile = z.infer<typeof shardSchema>;

export interface EvaluationHead {
  readonly version: string;
  readonly model: string;
  readonly modelDigest: string;
  readonly backend: string;
  readonly device: string;
  readonly firstSeed: number;
  /** Null: as the tokenizer has it. */
  readonly startToken: boolean | null;
  readonly chatTemplate?: boolean;
  readonly examples?: { readonly file: string; readonly count: number; readonly digest: string };
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
    if (cell.examples && cell.examples.length !== cell.seeds) {
      throw new UserError(
        `${path} has ${cell.examples.length} examples for ${name}, but ${cell.seeds} answers; mend or remove it.`,
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

/** The file of a shard, null if there is none. Throws UserError for a file that is something else. */
export function readShard(path: string): ShardFile | null {
  return readFile(path, shardSchema);
}

/** Versions whose answers may mean something else, and that did not write whether texts begin with the start token. */
const isOld = ({ version }: Head): boolean => typeof version === 'string' && /^0\.[01]\./.test(version);

/** Throws UserError when what is to be gone on with is of another model or other seeds. */
export function checkSameSeeds(
  path: string,
  before: Head | null,
  now: Pick<EvaluationHead, 'modelDigest' | 'firstSeed' | 'startToken' | 'chatTemplate' | 'examples'>,
): void {
  if (before && (before.chatTemplate ?? false) !== (now.chatTemplate ?? false)) {
    throw new UserError(
      `${path} is of texts ${before.chatTemplate ? 'with' : 'without'} --chat-template; name another file, or remove it.`,
    );
  }
  if (before && before.examples?.digest !== now.examples?.digest)
    throw new UserError(`${path} is of other texts than these; name another file, or remove it.`);
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

/** Where a cell's method evicts, as words behind its label; one that does not evict once is only measured from there on. */
export function placeText(cell: Pick<CellKey, 'id' | 'parameters' | 'evictAfter'>): string {
  if (cell.evictAfter !== 'question') return '';
  return evictsOnce(cell) ? ', after the question' : ', measured after the question';
}

/** What a cell leaves out at its default for a text of any length. */
function evictsOnce({ id, parameters }: Pick<CellKey, 'id' | 'parameters'>): boolean {
  const method = methodById(id);
  const context = {
    tokens: 1,
    trainedTokens: null,
    layers: 1,
    queryHeads: 1,
    keyValueHeads: 1,
    headDimension: 2,
  };
  return evictsAtQueries(method, { ...completeParameters(method, {}, context), ...parameters } as Parameters);
}

type Place = Pick<CellKey, 'task' | 'tokens' | 'label' | 'evictAfter'>;

function isSameCell(a: Place, b: Place): boolean {
  return a.task === b.task && a.tokens === b.tokens && a.label === b.label && a.evictAfter === b.evictAfter;
}

/** The cell of that key in `cells`, added empty if it is not there. Throws UserError for other parameters under its label. */
export function cellOf(cells: Cell[], key: CellKey): Cell {
  const cell = cells.find((entry) => isSameCell(entry, key));
  if (!cell) {
    cells.push(counted({ ...key, right: '', lossSumNats: 0, sums: {}, seeds: 0, notices: [] }));
    return cells[cells.length - 1]!;
  }
  if (!isSameMethod(cell, key)) {
    throw new UserError(
      `The file has other parameters under the label "${key.label}"; use another label or file.`,
    );
  }
  return cell;
}

/** Whether two keys of one label name the same method, parameters and budget. */
function isSameMethod(a: CellKey, b: CellKey): boolean {
  return (
    fingerprint([a.id, a.parameters, a.keep ?? null]) === fingerprint([b.id, b.parameters, b.keep ?? null])
  );
}

/** A cell with what follows from its answers. */
function counted(cell: z.infer<typeof cellSchema>): Cell {
  const { task, tokens, label, id, parameters, keep, evictAfter, right, lossSumNats, sums, notices } = cell;
  const hits = countOf(right, '1');
  const answered = hits + countOf(right, '0');
  const { low, high } = wilsonInterval(hits, answered);
  const mean = (sum: number | null | undefined): number | null =>
    answered === 0 ? null : (sum ?? null) && sum! / answered;
  const there = MEASURES.filter((name) => sums[name] !== undefined);
  return {
    ...{ task, tokens, label, id, parameters, ...(keep === undefined ? {} : { keep }) },
    ...{ evictAfter, right, lossSumNats, sums, seeds: right.length },
    accuracy: answered === 0 ? null : hits / answered,
    interval95: answered === 0 ? null : [low, high],
    lossNats: mean(lossSumNats),
    means: Object.fromEntries(there.map((name) => [name, mean(sums[name])])),
    notices,
    ...(cell.examples && { examples: cell.examples }),
  };
}

function countOf(marks: string, mark: string): number {
  return [...marks].filter((other) => other === mark).length;
}

/** Adds what one more answer has to sums over `answered` of them. */
function added(sums: Measures, measures: Measures, answered: number): Measures {
  return Object.fromEntries(
    MEASURES.flatMap((name): [string, number | null][] => {
      const [before, more] = [sums[name], measures[name]];
      if (before === undefined && more === undefined) return [];
      if (answered === 0) return [[name, more ?? null]];
      return [[name, before == null || more == null ? null : before + more]];
    }),
  );
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
      const { isRight, lossNats, measures, example } = answer;
      const answered = cell.right.length - countOf(cell.right, '-');
      cells[at] = counted({
        ...cell,
        right: cell.right + (isRight === null ? '-' : Number(isRight)),
        ...(example && { examples: [...(cell.examples ?? []), { ...example, right: isRight, lossNats }] }),
        ...(isRight === null
          ? {}
          : {
              lossSumNats: cell.lossSumNats + lossNats,
              sums: added(cell.sums, measures ?? {}, answered),
            }),
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

/** Writes the file of a shard: what all of its cells are, and its own answers, in the order of the whole. */
export function writeShard(
  path: string,
  head: EvaluationHead,
  { shard, seeds, cells, answers }: Pick<ShardFile, 'shard' | 'seeds' | 'cells' | 'answers'>,
): void {
  const place = (answer: Answer): number => cells.findIndex((key) => isSameCell(key, answer));
  const places = new Map(answers.map((answer) => [answer, place(answer)]));
  const ordered = [...answers].sort((a, b) => places.get(a)! - places.get(b)! || a.seed - b.seed);
  write(path, head, { shard, seeds, cells, answers: ordered });
}

function write(path: string, head: EvaluationHead, rest: object): void {
  const { version, model, modelDigest, backend, device, firstSeed, startToken, units, notices } = head;
  const texts = {
    ...(head.chatTemplate && { chatTemplate: true }),
    ...(head.examples && { examples: head.examples }),
  };
  const ordered = {
    ...{ version, model, modelDigest, backend, device, firstSeed, startToken, ...texts, units, notices },
  };
  writeJson(path, { ...ordered, ...rest }, 1);
}
