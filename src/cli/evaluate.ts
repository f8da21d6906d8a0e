/** `evaluate`: accuracy of free runs over seeds of generated tasks; resumable. */
import { existsSync } from 'node:fs';
import { z } from 'zod';
import { version } from '../../package.json';
import { compareLogits } from '../measure/divergence';
import { wilsonInterval } from '../measure/wilson';
import { methodById } from '../methods';
import { parameterContext, resolve } from '../study/engine';
import type { OpenModel } from '../study/open-model';
import { readText } from '../study/reading';
import { buildText, type StudyText } from '../study/source';
import { taskList } from '../tasks/generate';
import { UserError } from '../user-error';
import { readArguments } from './arguments';
import { openCommandBackend } from './backend';
import { readJson, writeWhole } from './files';
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
type Cell = z.infer<typeof cellSchema>;

const fileSchema = z.object({ modelDigest: z.string(), firstSeed: z.number(), cells: z.array(cellSchema) });

export async function evaluateCommand(rawArguments: string[]): Promise<void> {
  const options = ['model', 'tasks', 'tokens', 'methods', 'seeds', 'first-seed', 'out'];
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

  const ops = await openCommandBackend(args.backend());
  const model = await openModelOf(ops, args);
  const cells = readCells(out, model, firstSeed);
  const head = {
    version,
    model: model.facts.name,
    modelDigest: model.facts.digest,
    backend: ops.backend,
    device: ops.description,
    firstSeed,
    units: { lossNats: 'nats per token of question and answer' },
  };
  const save = (): void => writeWhole(out, `${JSON.stringify({ ...head, cells }, null, 1)}\n`);
  for (const tokens of lengths) {
    for (const task of tasks) {
      const own = methods.map(({ id, label, parameters }) =>
        cellOf(cells, { task, tokens, label, id, parameters }),
      );
      for (let done = Math.min(...own.map((cell) => cell.seeds)); done < seeds; done++) {
        const due = own.filter((cell) => cell.seeds === done);
        const text = seedText(model, task, tokens, firstSeed + done);
        await runAll(due, ops.backend === 'cpu' ? 1 : GPU_RUNS, (cell) => runSeed(model, cell, text));
        save();
        showProgress(`${task}, ${tokens} tokens: ${done + 1} of ${seeds} seeds`);
      }
      endProgress();
      for (const cell of own) {
        const [low, high] = cell.interval95;
        process.stdout.write(
          `${task} ${tokens} ${cell.label}: ${percent(cell.accuracy)} [${percent(low)}, ${percent(high)}] of ${cell.seeds}, ${cell.lossNats.toFixed(3)} nats\n`,
        );
      }
    }
  }
  save();
}

function percent(share: number): string {
  return `${(100 * share).toFixed(1)} %`;
}

function readCells(out: string, model: OpenModel, firstSeed: number): Cell[] {
  if (!existsSync(out)) return [];
  const before = fileSchema.safeParse(readJson(out));
  if (!before.success) throw new UserError(`${out} is there and is no evaluation; name another file.`);
  if (before.data.modelDigest !== model.facts.digest || before.data.firstSeed !== firstSeed) {
    throw new UserError(`${out} is of another model or other seeds; name another file, or remove it.`);
  }
  return before.data.cells;
}

function cellOf(cells: Cell[], key: Pick<Cell, 'task' | 'tokens' | 'label' | 'id' | 'parameters'>): Cell {
  const same = (cell: Cell): boolean =>
    cell.task === key.task && cell.tokens === key.tokens && cell.label === key.label;
  let cell = cells.find(same);
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
  const right = text.judge(reading.generated ?? []).right;
  cell.right += right ? '1' : '0';
  cell.seeds++;
  const { queryLogits: logits } = reading;
  const next = text.ids.subarray(queries.start + 1);
  cell.lossSumNats += compareLogits(logits, logits, model.config.vocabularySize, next).lossNats;
  const hits = [...cell.right].filter((mark) => mark === '1').length;
  cell.accuracy = hits / cell.seeds;
  const { low, high } = wilsonInterval(hits, cell.seeds);
  cell.interval95 = [low, high];
  cell.lossNats = cell.lossSumNats / cell.seeds;
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
