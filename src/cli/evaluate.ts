/** `evaluate`: accuracy of free runs over seeds of generated tasks; resumable. */
import { z } from 'zod';
import { version } from '../../package.json';
import { quote } from '../base/quote';
import { UserError } from '../base/user-error';
import { modelNotices } from '../engine/notices';
import { methodById } from '../methods';
import { EVICTION_CHOICES, type EvictAfter } from '../methods/method';
import { openChatTemplate } from '../model/tokenizer/chat-template';
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
} from './evaluate-processes';
import { answerSeeds, type Share } from './evaluate-seeds';
import { checkSameShard, mergeShards, nameOf, oneBased, shardOf } from './evaluate-shards';
import {
  type Cell,
  type CellKey,
  cellOf,
  checkSameMeaning,
  checkSameSeeds,
  checkSameStart,
  countAnswers,
  type EvaluationHead,
  placeText,
  readEvaluation,
  readPart,
  readShard,
  writeEvaluation,
  writePart,
  writeShard,
} from './evaluation-file';
import { type ExampleFile, readExamples } from './examples';
import { refuseKept } from './kept';
import { lockFile } from './lock';
import { print } from './print';
import { endProgress, showProgress } from './progress';
import { openModelOf } from './source';
import { chatOf, startTokenOf } from './text';

const methodSchema = z.union([
  z.string().transform((id) => ({ id, label: id, parameters: {}, keep: undefined as number[] | undefined })),
  z
    .object({
      id: z.string(),
      label: z.string().optional(),
      parameters: z.record(z.string(), z.unknown()).default({}),
      keep: z.array(z.number()).optional(),
    })
    .transform((entry) => ({ ...entry, label: entry.label ?? entry.id })),
]);

/** The seeds that tasks take are whole numbers of 32 bits. */
const LARGEST_SEED = 2 ** 32 - 1;

/** What would move a terminal's cursor, or turn the direction of what follows. */
const UNSEEN = /[\p{Cc}\p{Zl}\p{Zp}\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]/u;

export async function evaluateCommand(rawArguments: string[]): Promise<void> {
  if (rawArguments[0] === 'merge') return mergeCommand(rawArguments.slice(1));
  const args = readArguments('evaluate', rawArguments);
  refuseKept(args);
  const out = args.output();
  const part = args.has('part') ? ownShare(args.text('part')) : null;
  const shard = args.has('shard') ? shardOf(args.text('shard')) : null;
  const examples = args.has('examples') ? examplesOf(args) : null;
  // Seeds below a million are never trained on (samples/training/rows.ts).
  const firstSeed = args.has('first-seed') ? args.count('first-seed', 0, LARGEST_SEED) : 0;
  const seeds = examples ? examples.examples.length : args.count('seeds', 1);
  if (firstSeed + seeds - 1 > LARGEST_SEED) {
    throw new UserError(
      `--first-seed and --seeds go up to seed ${firstSeed + seeds - 1}; the last one there is is ${LARGEST_SEED}.`,
    );
  }
  const plan = planOf(args, examples);
  const processes = args.has('processes') ? args.count('processes', 1, MOST_PROCESSES) : 1;
  // The processes of a command write files of their own under its lock.
  const unlock = part ? () => {} : lockFile(out);
  try {
    if (processes > 1) {
      const at = rawArguments.findLastIndex((argument) => /^--processes(=|$)/.test(argument));
      const own = rawArguments.toSpliced(at, rawArguments[at]!.includes('=') ? 1 : 2);
      await evaluateInProcesses(own, out, { processes, plan, shard, seeds });
    } else await evaluateSeeds(args, { out, part, shard, plan, firstSeed, seeds, examples });
    if (part) return;
    if (shard) await printShard(out);
    else await printCells(readEvaluation(out)?.cells ?? [], plan);
  } finally {
    unlock();
  }
}

/** `evaluate merge FILES --out OUT.json`. */
async function mergeCommand(rawArguments: readonly string[]): Promise<void> {
  const first = rawArguments.findIndex((argument) => argument.startsWith('-'));
  const files = first < 0 ? rawArguments : rawArguments.slice(0, first);
  const args = readArguments('evaluate merge', rawArguments.slice(files.length));
  const out = args.output({ files });
  const { head, cells, plan } = mergeShards(files);
  writeEvaluation(out, head, cells, plan);
  await printCells(cells, plan);
}

/** --examples, in the place of what says which texts are generated. Throws UserError. */
function examplesOf(args: Arguments): ExampleFile {
  const other = ['tasks', 'tokens', 'seeds', 'first-seed'].find((name) => args.has(name));
  if (other)
    throw new UserError(`--examples names the texts, so --${other} has nothing to say; leave it out.`);
  return readExamples(args.text('examples'));
}

/** Texts by their task, and the length that is asked for. Throws UserError. */
function generatedTexts(args: Arguments): Pick<CellKey, 'task' | 'tokens'>[] {
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
  return lengths.flatMap((tokens) => tasks.map((task) => ({ task, tokens })));
}

/** What is asked for, in the order in which it is computed and written. Throws UserError. */
function planOf(args: Arguments, examples: ExampleFile | null): CellKey[] {
  // Each example has a length of its own.
  const texts = examples ? [{ task: examples.name, tokens: 0 }] : generatedTexts(args);
  const parsed = z.array(methodSchema).min(1).safeParse(args.json('methods'));
  if (!parsed.success) {
    throw new UserError(
      '--methods must be a JSON array of method ids, or of {"id": …, "parameters": {…}, "label": …}.',
    );
  }
  const methods = parsed.data;
  const everywhere = args.has('keep') ? args.numbers('keep') : null;
  for (const { id, label, keep } of methods) {
    methodById(id);
    const wrong = (keep ?? everywhere ?? []).find((fraction) => !(fraction > 0 && fraction <= 1));
    if (wrong !== undefined)
      throw new UserError(`What is kept is a fraction above 0 and up to 1, and ${wrong} is none.`);
    if (UNSEEN.test(label) || label.trim() === '') {
      throw new UserError(
        `The label ${quote(label)} has characters that are not seen, or no others; use plain words.`,
      );
    }
  }
  if (new Set(methods.map(({ label }) => label)).size < methods.length) {
    throw new UserError('--methods names the same method twice; give each a "label" of its own.');
  }
  const asked = methods.flatMap(({ id, label, parameters, keep }) => {
    const keeps = [...new Set(keep ?? everywhere ?? [])];
    if (keeps.length === 0) return [{ label, id, parameters }];
    return keeps.map((fraction) => ({ label: `${label} @${fraction}`, id, parameters, keep: fraction }));
  });
  const places = evictionPlaces(args);
  return texts.flatMap((text) =>
    asked.flatMap((method) => places.map((evictAfter) => ({ ...text, ...method, evictAfter }))),
  );
}

/** --evict-after: where methods that evict once do so, one place or both. */
function evictionPlaces(args: Arguments): EvictAfter[] {
  if (!args.has('evict-after')) return ['context'];
  const asked = args.list('evict-after');
  const places = EVICTION_CHOICES.filter((place) => asked.includes(place));
  if (asked.every((place) => (EVICTION_CHOICES as readonly string[]).includes(place))) return places;
  throw new UserError(
    '--evict-after must be context, before the question, question, after it, or both: context,question.',
  );
}

interface Asked {
  readonly out: string;
  /** Which of several processes this is; null: the only one. */
  readonly part: Share | null;
  /** Which of several evaluations; null: the whole. */
  readonly shard: Share | null;
  readonly plan: readonly CellKey[];
  readonly firstSeed: number;
  readonly seeds: number;
  readonly examples: ExampleFile | null;
}

/** A file is written at most so often, and at the end: it is written whole each time. */
const SAVE_MILLISECONDS = 1000;

/** Answers what is missing in this process, all of it or its share, and saves answers as they come. */
async function evaluateSeeds(
  args: Arguments,
  { out, part, shard, plan, firstSeed, seeds, examples }: Asked,
): Promise<void> {
  const ownPath = part ? partPath(out, part.index) : out;
  const before = shard ? null : readEvaluation(out);
  const shardBefore = shard ? readShard(out) : null;
  const ownBefore = part ? readPart(ownPath) : null;
  const ops = await openCommandBackend(args.backend(), args.memoryBytes());
  const model = await openModelOf(ops, args);
  const isChat = chatOf(args);
  const startToken = startTokenOf(args);
  const chat = isChat ? await openChatTemplate(model.chatTemplate) : null;
  const devices = new Set(((before ?? shardBefore)?.device ?? '').split('; ').filter((name) => name !== ''));
  const measures = args.has('measure');
  const head: EvaluationHead = {
    version,
    model: model.facts.name,
    modelDigest: model.facts.digest,
    backend: ops.backend,
    device: [...devices.add(ops.description)].join('; '),
    firstSeed,
    startToken,
    ...(isChat && { chatTemplate: true }),
    ...(examples && {
      examples: { file: examples.name, count: examples.examples.length, digest: examples.digest },
    }),
    units: {
      lossNats: 'nats per token of question and answer',
      ...(examples
        ? { right: 'one of the accepted answers is contained, letter case and white space aside' }
        : { digitShare: 'share of the digits of the true answer that are written where they belong' }),
      ...(measures
        ? {
            kept: 'keys seen / keys full attention sees, mean over queries and layers',
            massRecall: 'mean over query heads, queries and layers',
            outputError: 'relative, before the output projection, mean over layers',
            divergenceNats: 'KL from full attention, nats per token of question and answer',
          }
        : {}),
    },
    notices: modelNotices(model),
  };
  checkSameSeeds(out, before ?? shardBefore, head);
  if (shardBefore) checkSameShard(out, shardBefore, shard!, plan, seeds);
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
  let answers = (part ? ownBefore : shardBefore)?.answers ?? [];
  // Other processes may have been fewer or more before, and their shares others.
  const known = new Set(
    [...answers, ...(shardBefore?.answers ?? []), ...(part ? readAnswers(out, part.count) : [])].map(nameOf),
  );
  if (part) process.send?.(CHECKED);
  let savedAt = Date.now();
  const save = (): void => {
    savedAt = Date.now();
    if (part) writePart(ownPath, head, answers);
    else if (shard) writeShard(out, head, { shard: oneBased(shard), seeds, cells: [...plan], answers });
    else {
      answers = countAnswers(cells, answers, firstSeed);
      writeEvaluation(out, head, cells, plan);
    }
  };
  try {
    await answerSeeds({
      model,
      plan,
      seeds: { first: firstSeed, end: firstSeed + seeds },
      share: shareOfShare(shard, part),
      isAnswered: (key, seed) =>
        seed < firstSeed + cellOf(cells, key).seeds || known.has(nameOf({ ...key, seed })),
      ...{ startToken, chat, measures, examples: examples?.examples ?? null },
      onAnswer: (answer) => {
        answers.push(answer);
        showProgress(
          examples
            ? `${answer.task}: example ${answer.seed + 1} of ${seeds}`
            : `${answer.task}, ${answer.tokens} tokens: seed ${answer.seed}`,
        );
        if (Date.now() - savedAt >= SAVE_MILLISECONDS) save();
      },
    });
  } finally {
    save();
    endProgress();
  }
}

/** The part of a shard that one of its processes answers. */
function shareOfShare(shard: Share | null, part: Share | null): Share {
  const [whole, own] = [shard ?? { index: 0, count: 1 }, part ?? { index: 0, count: 1 }];
  return { index: whole.index + whole.count * own.index, count: whole.count * own.count };
}

function printShard(out: string): Promise<void> {
  const { shard, answers } = readShard(out)!;
  return print(`shard ${shard.index}/${shard.count}: ${answers.length} answers\n`);
}

/** One line for each cell that was asked for. */
function printCells(known: readonly Cell[], plan: readonly CellKey[]): Promise<void> {
  const cells = [...known];
  const lines = plan.map((key) => {
    const { accuracy, interval95, right, lossNats, means, notices } = cellOf(cells, key);
    const { task, tokens } = key;
    const name = `${task}${tokens ? ` ${tokens}` : ''} ${key.label}${placeText(key)}`;
    if (accuracy === null || interval95 === null || lossNats === null) {
      const why = right === '' ? 'no answer' : (notices[0] ?? 'not run');
      return `${name}: ${why}\n`;
    }
    const [low, high] = interval95.map(percent);
    const answered = right.replaceAll('-', '').length;
    const said = `${percent(accuracy)} [${low}, ${high}] of ${answered}, ${lossNats.toFixed(3)} nats`;
    return `${name}: ${said}${measuredText(means)}\n`;
  });
  return print(lines.join(''));
}

function measuredText({ kept, massRecall, outputError, divergenceNats }: Cell['means']): string {
  if (kept == null || outputError == null || divergenceNats == null) return '';
  const mass = massRecall == null ? 'no recall' : `mass ${massRecall.toFixed(3)}`;
  return `; kept ${kept.toFixed(3)}, ${mass}, error ${outputError.toFixed(3)}, KL ${divergenceNats.toFixed(3)}`;
}

function percent(share: number): string {
  return `${(100 * share).toFixed(1)} %`;
}
