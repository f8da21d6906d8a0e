/** `evaluate`: accuracy of free runs over seeds of generated tasks; resumable. */
import { z } from 'zod';
import { version } from '../../package.json';
import { methodById } from '../methods';
import { taskList } from '../tasks/generate';
import { UserError } from '../user-error';
import { readArguments } from './arguments';
import { openCommandBackend } from './backend';
import { CHECKED, evaluateInProcesses, partPath, readAnswers } from './evaluate-processes';
import { answerSeeds } from './evaluate-seeds';
import {
  type Cell,
  cellOf,
  checkSameSeeds,
  countAnswers,
  isSameCell,
  readEvaluation,
  readPart,
} from './evaluation-file';
import { writeWhole } from './output';
import { endProgress, showProgress } from './progress';
import { openModelOf } from './source';

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
  const args = readArguments('evaluate', rawArguments);
  const out = args.output();
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

  const plan = lengths.flatMap((tokens) =>
    tasks.flatMap((task) =>
      methods.map(({ id, label, parameters }) => ({ task, tokens, label, id, parameters })),
    ),
  );
  const processes = args.has('processes') ? args.count('processes', 1) : 1;
  if (processes > 1) {
    const at = rawArguments.findIndex((argument) => /^--processes(=|$)/.test(argument));
    const own = rawArguments.toSpliced(at, rawArguments[at].includes('=') ? 1 : 2);
    await evaluateInProcesses(own, out, processes, plan);
    for (const cell of readEvaluation(out)?.cells ?? []) printCell(cell);
    return;
  }

  const ops = await openCommandBackend(args.backend(), args.memoryBytes());
  const model = await openModelOf(ops, args);
  const { digest } = model.facts;
  const part = readShare(args.optional('part'));
  const ownPath = part ? partPath(out, part.index) : out;
  const before = readEvaluation(out);
  const ownBefore = part ? readPart(ownPath) : null;
  const devices = new Set((before?.device ?? '').split('; ').filter((name) => name !== ''));
  const head = {
    version,
    model: model.facts.name,
    modelDigest: digest,
    backend: ops.backend,
    device: [...devices.add(ops.description)].join('; '),
    firstSeed,
    units: { lossNats: 'nats per token of question and answer' },
  };
  checkSameSeeds(out, before, head);
  checkSameSeeds(ownPath, ownBefore, head);
  const cells = before?.cells ?? [];
  for (const key of plan) cellOf(cells, key);
  // Not counted in a cell yet; in a process of several, all of its own.
  let answers = ownBefore?.answers ?? [];
  // Other processes may have been fewer or more before, and their shares others.
  const known = part ? readAnswers(out, part.count) : [];
  if (part) process.send?.(CHECKED);
  const save = (): void => {
    if (!part) answers = countAnswers(cells, answers, firstSeed);
    writeWhole(ownPath, `${JSON.stringify({ ...head, ...(part ? { answers } : { cells }) }, null, 1)}\n`);
  };
  await answerSeeds({
    model,
    plan,
    seeds: { first: firstSeed, end: firstSeed + seeds },
    share: part ?? { index: 0, count: 1 },
    isAnswered: (key, seed) =>
      seed < firstSeed + cellOf(cells, key).seeds ||
      known.some((answer) => answer.seed === seed && isSameCell(answer, key)),
    onAnswer: (answer) => {
      answers.push(answer);
      showProgress(`${answer.task}, ${answer.tokens} tokens: seed ${answer.seed}`);
      save();
    },
  });
  save();
  endProgress();
  if (!part) for (const key of plan) printCell(cellOf(cells, key));
}

/** `i/n`: which of the texts are this process's own. */
function readShare(text: string | undefined): { readonly index: number; readonly count: number } | null {
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
