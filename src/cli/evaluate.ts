/** `evaluate`: accuracy of free runs over seeds of generated tasks; resumable. */
import { z } from 'zod';
import { version } from '../../package.json';
import { quote } from '../base/quote';
import { UserError } from '../base/user-error';
import { modelNotices } from '../engine/notices';
import { methodById } from '../methods';
import { type EvictAfter, evictionChoices } from '../study/spec';
import { taskList } from '../tasks/generate';
import { type Arguments, readArguments } from './arguments';
import { openCommandBackend } from './backend';
import {
  CHECKED,
  evaluateInProcesses,
  MOST_PROCESSES,
  ownShare,
  partPath,
  readAnswers,
  type Share,
} from './evaluate-processes';
import { answerSeeds } from './evaluate-seeds';
import {
  type CellKey,
  cellOf,
  checkSameMeaning,
  checkSameSeeds,
  checkSameStart,
  countAnswers,
  type EvaluationHead,
  isSameCell,
  readEvaluation,
  readPart,
  writeEvaluation,
  writePart,
} from './evaluation-file';
import { refuseKept } from './kept';
import { lockFile } from './lock';
import { print } from './print';
import { endProgress, showProgress } from './progress';
import { openModelOf, startTokenOf } from './source';

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

/** The seeds that tasks take are whole numbers of 32 bits. */
const LARGEST_SEED = 2 ** 32 - 1;

/** What would move a terminal's cursor, or turn the direction of what follows. */
const UNSEEN = /[\p{Cc}\p{Zl}\p{Zp}\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]/u;

export async function evaluateCommand(rawArguments: string[]): Promise<void> {
  const args = readArguments('evaluate', rawArguments);
  refuseKept(args);
  const out = args.output();
  const share = args.has('part') ? ownShare(args.text('part')) : null;
  // Seeds below a million are never trained on (samples/training/rows.ts).
  const firstSeed = args.has('first-seed') ? args.count('first-seed', 0, LARGEST_SEED) : 0;
  const seeds = args.count('seeds', 1);
  if (firstSeed + seeds - 1 > LARGEST_SEED) {
    throw new UserError(
      `--first-seed and --seeds go up to seed ${firstSeed + seeds - 1}; the last one there is is ${LARGEST_SEED}.`,
    );
  }
  const plan = planOf(args);
  const processes = args.has('processes') ? args.count('processes', 1, MOST_PROCESSES) : 1;
  // The processes of a command write files of their own under its lock.
  const unlock = share ? () => {} : lockFile(out);
  try {
    if (processes > 1) {
      const at = rawArguments.findLastIndex((argument) => /^--processes(=|$)/.test(argument));
      const own = rawArguments.toSpliced(at, rawArguments[at]!.includes('=') ? 1 : 2);
      await evaluateInProcesses(own, out, processes, plan);
    } else await evaluateSeeds(args, { out, share, plan, firstSeed, seeds });
    if (!share) await printCells(out, plan);
  } finally {
    unlock();
  }
}

/** What is asked for, in the order in which it is computed and written. Throws UserError. */
function planOf(args: Arguments): CellKey[] {
  const tasks = [...new Set(args.list('tasks'))];
  for (const task of tasks) {
    if (!taskList.some((kind) => kind.id === task)) {
      throw new UserError(
        `There is no task "${task}"; choose from ${taskList.map((kind) => kind.id).join(', ')}.`,
      );
    }
  }
  const lengths = [...new Set(args.numbers('tokens'))];
  const odd = lengths.find((tokens) => !Number.isSafeInteger(tokens) || tokens < 1);
  if (odd !== undefined) throw new UserError(`--tokens holds whole numbers of tokens, and ${odd} is none.`);
  const parsed = z.array(methodSchema).min(1).safeParse(args.json('methods'));
  if (!parsed.success) {
    throw new UserError(
      '--methods must be a JSON array of method ids, or of {"id": …, "parameters": {…}, "label": …}.',
    );
  }
  const methods = parsed.data;
  for (const { id, label } of methods) {
    methodById(id);
    if (UNSEEN.test(label) || label.trim() === '') {
      throw new UserError(
        `The label ${quote(label)} has characters that are not seen, or no others; use plain words.`,
      );
    }
  }
  if (new Set(methods.map(({ label }) => label)).size < methods.length) {
    throw new UserError('--methods names the same method twice; give each a "label" of its own.');
  }
  const places = evictionPlaces(args);
  return lengths.flatMap((tokens) =>
    tasks.flatMap((task) =>
      methods.flatMap(({ id, label, parameters }) =>
        places.map((evictAfter) => ({ task, tokens, label, id, parameters, evictAfter })),
      ),
    ),
  );
}

/** --evict-after: where methods that evict once do so, one place or both. */
function evictionPlaces(args: Arguments): EvictAfter[] {
  if (!args.has('evict-after')) return ['context'];
  const asked = args.list('evict-after');
  const places = evictionChoices.filter((place) => asked.includes(place));
  if (asked.every((place) => (evictionChoices as readonly string[]).includes(place))) return places;
  throw new UserError(
    '--evict-after must be context, before the question, question, after it, or both: context,question.',
  );
}

interface SeedsAsked {
  readonly out: string;
  readonly share: Share | null;
  readonly plan: readonly CellKey[];
  readonly firstSeed: number;
  readonly seeds: number;
}

/** Answers what is missing in this process, all of it or its share, and saves every answer as it comes. */
async function evaluateSeeds(
  args: Arguments,
  { out, share, plan, firstSeed, seeds }: SeedsAsked,
): Promise<void> {
  const ownPath = share ? partPath(out, share.index) : out;
  const before = readEvaluation(out);
  const ownBefore = share ? readPart(ownPath) : null;
  const ops = await openCommandBackend(args.backend(), args.memoryBytes());
  const model = await openModelOf(ops, args);
  const startToken = startTokenOf(args);
  const devices = new Set((before?.device ?? '').split('; ').filter((name) => name !== ''));
  const head: EvaluationHead = {
    version,
    model: model.facts.name,
    modelDigest: model.facts.digest,
    backend: ops.backend,
    device: [...devices.add(ops.description)].join('; '),
    firstSeed,
    startToken,
    units: { lossNats: 'nats per token of question and answer' },
    notices: modelNotices(model),
  };
  checkSameSeeds(out, before, head);
  checkSameMeaning(out, before, plan);
  checkSameSeeds(ownPath, ownBefore, head);
  if (model.tokenizer) {
    const { startOfVersion1, start } = model.tokenizer;
    const starts = { earlier: startOfVersion1, present: start(startToken) };
    checkSameStart(out, before, starts);
    checkSameStart(ownPath, ownBefore, starts);
  }
  const cells = before?.cells ?? [];
  for (const key of plan) cellOf(cells, key);
  // Not counted in a cell yet; in a process of several, all of its own.
  let answers = ownBefore?.answers ?? [];
  // Other processes may have been fewer or more before, and their shares others.
  const known = share ? readAnswers(out, share.count) : [];
  if (share) process.send?.(CHECKED);
  const save = (): void => {
    if (!share) answers = countAnswers(cells, answers, firstSeed);
    if (share) writePart(ownPath, head, answers);
    else writeEvaluation(out, head, cells, plan);
  };
  await answerSeeds({
    model,
    plan,
    seeds: { first: firstSeed, end: firstSeed + seeds },
    share: share ?? { index: 0, count: 1 },
    isAnswered: (key, seed) =>
      seed < firstSeed + cellOf(cells, key).seeds ||
      known.some((answer) => answer.seed === seed && isSameCell(answer, key)),
    startToken,
    onAnswer: (answer) => {
      answers.push(answer);
      showProgress(`${answer.task}, ${answer.tokens} tokens: seed ${answer.seed}`);
      save();
    },
  });
  save();
  endProgress();
}

/** One line for each cell that was asked for. */
function printCells(out: string, plan: readonly CellKey[]): Promise<void> {
  const cells = readEvaluation(out)?.cells ?? [];
  const lines = plan.map((key) => {
    const { accuracy, interval95, seeds, lossNats } = cellOf(cells, key);
    const { task, tokens, evictAfter } = key;
    const label = evictAfter === 'question' ? `${key.label}, after the question` : key.label;
    if (accuracy === null || interval95 === null || lossNats === null)
      return `${task} ${tokens} ${label}: no answer\n`;
    const [low, high] = interval95.map(percent);
    return `${task} ${tokens} ${label}: ${percent(accuracy)} [${low}, ${high}] of ${seeds}, ${lossNats.toFixed(3)} nats\n`;
  });
  return print(lines.join(''));
}

function percent(share: number): string {
  return `${(100 * share).toFixed(1)} %`;
}
