/** `evaluate`: accuracy of free runs over seeds of generated tasks; resumable. */
import { z } from 'zod';
import { version } from '../../package.json';
import { compareLogits } from '../measure/divergence';
import { methodById } from '../methods';
import { parameterContext, resolve } from '../study/engine';
import type { OpenModel } from '../study/open-model';
import { readText } from '../study/reading';
import { buildText, type StudyText } from '../study/source';
import { taskList } from '../tasks/generate';
import { UserError } from '../user-error';
import { readArguments } from './arguments';
import { openCommandBackend } from './backend';
import { evaluateInProcesses, partPath } from './evaluate-processes';
import { addAnswer, type Cell, cellOf, mergeCells, readCells, readEvaluation } from './evaluation-file';
import { writeWhole } from './files';
import { sampleTexts } from './node-environment';
import { endProgress, showProgress } from './progress';
import { openModelOf } from './source';

/** Free runs under way at once on a GPU: while one waits for a token, the others keep the device busy. */
const GPU_RUNS = 6;

const methodSchema = z.union([
  z.string().transform((id) => ({ id, label: id, parameters: {} })),
  z
    .object({
      id: z.string(),
      label: z.string().optional(),
      parameters: z.record(z.string(), z.unknown()).default({}),
    })
    .transform((entry) => ({ ...entry, label: entry.label ?? entry.id })),
]);

export async function evaluateCommand(rawArguments: string[]): Promise<void> {
  const options = ['model', 'tasks', 'tokens', 'methods', 'seeds', 'first-seed', 'processes', 'part', 'out'];
  const args = readArguments('evaluate', rawArguments, options);
  const out = args.output('out');
  const seeds = args.count('seeds', 1);
  // Seeds below a million are never trained on (samples/training/rows.ts).
  const firstSeed = args.has('first-seed') ? args.count('first-seed', 0) : 0;
  const tasks = args.list('tasks');
  for (const task of tasks) {
    if (!taskList.some((kind) => kind.id === task)) {
      throw new UserError(
        `There is no task "${task}"; choose from ${taskList.map((kind) => kind.id).join(', ')}.`,
      );
    }
  }
  const lengths = args.numbers('tokens');
  const parsed = z.array(methodSchema).min(1).safeParse(args.json('methods'));
  if (!parsed.success) {
    throw new UserError(
      '--methods must be a JSON array of method ids, or of {"id": …, "parameters": {…}, "label": …}.',
    );
  }
  const methods = parsed.data;
  for (const { id } of methods) methodById(id);
  if (new Set(methods.map(({ label }) => label)).size < methods.length) {
    throw new UserError('--methods names the same method twice; give each a "label" of its own.');
  }

  const processes = args.has('processes') ? args.count('processes', 1) : 1;
  if (processes > 1) {
    const at = rawArguments.findIndex((argument) => /^--processes(=|$)/.test(argument));
    const own = rawArguments.toSpliced(at, rawArguments[at].includes('=') ? 1 : 2);
    const plan = lengths.flatMap((tokens) =>
      tasks.flatMap((task) => methods.map(({ label }) => ({ task, tokens, label }))),
    );
    await evaluateInProcesses(own, out, processes, plan);
    for (const cell of readEvaluation(out)?.cells ?? []) printCell(cell);
    return;
  }

  const ops = await openCommandBackend(args.backend());
  const model = await openModelOf(ops, args);
  const { digest } = model.facts;
  const part = readPart(args.optional('part'));
  const ownPath = part ? partPath(out, part.index) : out;
  const before = readCells(out, digest, firstSeed);
  const cells = part ? mergeCells(before, readCells(ownPath, digest, firstSeed)) : before;
  let planned = 0;
  const devices = new Set((readEvaluation(out)?.device ?? '').split('; ').filter((name) => name !== ''));
  const head = {
    version,
    model: model.facts.name,
    modelDigest: digest,
    backend: ops.backend,
    device: [...devices.add(ops.description)].join('; '),
    firstSeed,
    units: { lossNats: 'nats per token of question and answer' },
  };
  const ownCells: Cell[] = part ? [] : cells;
  const save = (): void => writeWhole(ownPath, `${JSON.stringify({ ...head, cells: ownCells }, null, 1)}\n`);
  for (const tokens of lengths) {
    for (const task of tasks) {
      const all = methods.map(({ id, label, parameters }) =>
        cellOf(cells, { task, tokens, label, id, parameters }),
      );
      // Neighbours take about as long: sharing them out one by one keeps the parts alike.
      const own = all.filter(() => !part || planned++ % part.count === part.index);
      if (part) ownCells.push(...own);
      if (own.length === 0) continue;
      for (let done = Math.min(...own.map((cell) => cell.seeds)); done < seeds; done++) {
        const due = own.filter((cell) => cell.seeds === done);
        const text = seedText(model, task, tokens, firstSeed + done);
        await runAll(due, ops.backend === 'cpu' ? 1 : GPU_RUNS, (cell) => runSeed(model, cell, text));
        save();
        showProgress(`${task}, ${tokens} tokens: ${done + 1} of ${seeds} seeds`);
      }
      endProgress();
      for (const cell of own) printCell(cell);
    }
  }
  save();
}

/** `i/n`: which of the cells are this process's own. */
function readPart(text: string | undefined): { readonly index: number; readonly count: number } | null {
  if (text === undefined) return null;
  const [index, count] = text.split('/').map(Number);
  if (Number.isInteger(index) && Number.isInteger(count) && index >= 0 && index < count)
    return { index, count };
  throw new UserError(`--part must be two whole numbers such as 0/4, not "${text}".`);
}

function printCell({ task, tokens, label, accuracy, interval95: [low, high], seeds, lossNats }: Cell): void {
  process.stdout.write(
    `${task} ${tokens} ${label}: ${percent(accuracy)} [${percent(low)}, ${percent(high)}] of ${seeds}, ${lossNats.toFixed(3)} nats\n`,
  );
}

function percent(share: number): string {
  return `${(100 * share).toFixed(1)} %`;
}

/** The text of one seed, the same for all methods. */
function seedText(model: OpenModel, task: string, tokens: number, seed: number): StudyText {
  if (!model.tokenizer) {
    throw new UserError('The model has no tokenizer.json, which tasks need; add it to the folder.');
  }
  const source = { kind: 'task', task, tokens, depth: 'spread', seed } as const;
  return buildText({ source, queriesStart: null }, model.tokenizer, model.config, sampleTexts());
}

async function runSeed(model: OpenModel, cell: Cell, text: StudyText): Promise<void> {
  const { queries, answerStart } = text.facts;
  const context = parameterContext(model, cell.tokens);
  const { method, parameters } = resolve({ id: cell.id, parameters: cell.parameters as never }, context);
  const reading = await readText({
    decoder: model.decoder,
    method,
    parameters,
    calibration: model.calibration,
    recorded: null,
    ids: text.ids,
    answerStart,
    queriesStart: queries.start,
    keepQueries: false,
    timed: false,
    isAnswerComplete: (generated) => text.isAnswerComplete(generated),
    signal: new AbortController().signal,
    onProgress: () => {},
  });
  reading.reader.release();
  const { queryLogits: logits } = reading;
  const next = text.ids.subarray(queries.start + 1);
  const { lossNats } = compareLogits(logits, logits, model.config.vocabularySize, next);
  addAnswer(cell, text.judge(reading.generated ?? []).right, lossNats);
}

/** Works through `items`, at most `atOnce` at a time. */
async function runAll<T>(
  items: readonly T[],
  atOnce: number,
  work: (item: T) => Promise<void>,
): Promise<void> {
  const queue = [...items];
  const lane = async (): Promise<void> => {
    for (let item = queue.shift(); item !== undefined; item = queue.shift()) await work(item);
  };
  await Promise.all(Array.from({ length: atOnce }, lane));
}
