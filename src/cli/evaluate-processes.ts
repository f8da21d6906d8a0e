/**
 * `evaluate --processes N`: the seeds shared out among N processes of the same command, each with a file of its own beside
 * `--out`, whose answers are counted while they come. A GPU is kept busy that way, and a processor's cores are all used.
 */
import { spawn } from 'node:child_process';
import { rmSync } from 'node:fs';
import { UserError } from '../base/user-error';
import type { Share } from './evaluate-seeds';
import { nameOf, oneBased } from './evaluate-shards';
import {
  type Answer,
  type CellKey,
  cellOf,
  countAnswers,
  type EvaluationHead,
  readEvaluation,
  readPart,
  readShard,
  writeEvaluation,
  writeShard,
} from './evaluation-file';
import { besidePath } from './output';
import { endProgress, showProgress } from './progress';

const MERGE_SECONDS = 10;

/** More than any machine has cores for; each is a whole program with the model's weights. */
export const MOST_PROCESSES = 256;

/** What a process says when its file is of this evaluation, or not there: only then are its answers counted. */
export const CHECKED = 'checked';

/**
 * The share that `--part i/n` names. Only the command's own processes have one: they end when the command does, however that
 * ends, so that none goes on writing unasked. Throws UserError for anything else.
 */
export function ownShare(text: string): Share {
  const [index, count] = text.split('/').map(Number);
  const isShare =
    Number.isInteger(index) &&
    Number.isInteger(count) &&
    index! >= 0 &&
    index! < count! &&
    count! <= MOST_PROCESSES;
  if (!isShare || !process.connected)
    throw new UserError('evaluate has no option --part; --processes N shares the texts out.');
  process.once('disconnect', () => process.exit(1));
  return { index: index!, count: count! };
}

/** Where part i of a shared evaluation is written. */
export function partPath(out: string, part: number): string {
  return besidePath(out, `part${part}`);
}

/** The answers in the files of all parts. */
export function readAnswers(out: string, parts: number): Answer[] {
  return Array.from({ length: parts }, (_, part) => readPart(partPath(out, part))?.answers ?? []).flat();
}

/**
 * Runs all parts, then leaves one file, its cells in the order of `plan`. When a part fails, or the command is interrupted,
 * the answers so far are counted and the parts' files stay: the same command goes on. `rawArguments`: the command's own,
 * without --processes.
 */
export async function evaluateInProcesses(
  rawArguments: readonly string[],
  out: string,
  {
    processes,
    plan,
    shard,
    seeds,
  }: {
    readonly processes: number;
    readonly plan: readonly CellKey[];
    readonly shard: Share | null;
    readonly seeds: number;
  },
): Promise<void> {
  const parts = Array.from({ length: processes }, (_, part) => part);
  const checked = new Set<number>();
  const merge = (): void => {
    const answered = [...checked]
      .map((part) => readPart(partPath(out, part)))
      .filter((file) => file !== null);
    if (answered.length === 0) return;
    const { answers: _, ...last } = answered[answered.length - 1]!;
    // It is what one of our own processes wrote.
    const head = last as unknown as EvaluationHead;
    if (shard) {
      const all = new Map(readShard(out)?.answers.map((answer) => [nameOf(answer), answer]));
      for (const answer of answered.flatMap((part) => part.answers)) all.set(nameOf(answer), answer);
      writeShard(out, head, {
        ...{ shard: oneBased(shard), seeds, cells: [...plan], answers: [...all.values()] },
      });
      showProgress(`${all.size} answers`);
      return;
    }
    const cells = readEvaluation(out)?.cells ?? [];
    for (const key of plan) cellOf(cells, key);
    countAnswers(
      cells,
      answered.flatMap(({ answers }) => answers),
      head.firstSeed,
    );
    writeEvaluation(out, head, cells, plan);
    showProgress(`${cells.reduce((sum, cell) => sum + cell.seeds, 0)} answers`);
  };
  const children = parts.map((part) => {
    const own = ['evaluate', ...rawArguments, '--part', `${part}/${processes}`];
    const child = spawn(process.execPath, [process.argv[1]!, ...own], {
      stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
    });
    child.on('message', (message) => {
      if (message === CHECKED) checked.add(part);
    });
    return child;
  });
  const stop = (): void => {
    for (const child of children) child.kill();
  };
  const signals = ['SIGINT', 'SIGTERM'] as const;
  for (const signal of signals) process.once(signal, stop);
  const timer = setInterval(merge, MERGE_SECONDS * 1000);
  try {
    await Promise.all(
      children.map(
        (child) =>
          new Promise<void>((resolve, reject) => {
            let said = '';
            child.stderr?.on('data', (data) => {
              said += data;
            });
            child.on('error', reject);
            child.on('close', (code) =>
              code === 0
                ? resolve()
                : reject(new UserError(said.trim().split('\n').at(-1) || 'A process was ended.')),
            );
          }),
      ),
    );
  } finally {
    clearInterval(timer);
    for (const signal of signals) process.off(signal, stop);
    stop();
    merge();
    endProgress();
  }
  for (const part of parts) rmSync(partPath(out, part), { force: true });
}
