/**
 * `evaluate --processes N`: the cells shared out among N processes of the same command, each with a file of its own beside
 * `--out`, which are merged while they grow. A GPU is kept busy that way, and a processor's cores are all used.
 */
import { spawn } from 'node:child_process';
import { rmSync } from 'node:fs';
import { UserError } from '../user-error';
import { type CellKey, mergeCells, readEvaluation } from './evaluation-file';
import { writeWhole } from './files';
import { endProgress, showProgress } from './progress';

const MERGE_SECONDS = 10;

/** Where part i of a shared evaluation is written. */
export function partPath(out: string, part: number): string {
  return `${out}.part${part}`;
}

/**
 * Runs all parts, then leaves one file, its cells in the order of `plan`. `rawArguments`: the command's own, without
 * --processes.
 */
export async function evaluateInProcesses(
  rawArguments: readonly string[],
  out: string,
  processes: number,
  plan: readonly Pick<CellKey, 'task' | 'tokens' | 'label'>[],
): Promise<void> {
  const parts = Array.from({ length: processes }, (_, part) => part);
  const merge = (): void => {
    const files = [out, ...parts.map((part) => partPath(out, part))]
      .map(readEvaluation)
      .filter((file) => file !== null);
    if (files.length === 0) return;
    const cells = files.reduce<(typeof files)[number]['cells']>(
      (all, file) => mergeCells(all, file.cells),
      [],
    );
    const place = ({ task, tokens, label }: CellKey): number =>
      plan.findIndex((key) => key.task === task && key.tokens === tokens && key.label === label);
    cells.sort((a, b) => place(a) - place(b));
    writeWhole(out, `${JSON.stringify({ ...files[files.length - 1], cells }, null, 1)}\n`);
    showProgress(`${cells.reduce((sum, cell) => sum + cell.seeds, 0)} answers`);
  };
  const children = parts.map((part) =>
    spawn(
      process.execPath,
      [process.argv[1], 'evaluate', ...rawArguments, '--part', `${part}/${processes}`],
      {
        stdio: ['ignore', 'ignore', 'pipe'],
      },
    ),
  );
  const timer = setInterval(merge, MERGE_SECONDS * 1000);
  try {
    await Promise.all(
      children.map(
        (child) =>
          new Promise<void>((resolve, reject) => {
            let said = '';
            child.stderr.on('data', (data) => {
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
    for (const child of children) child.kill();
    merge();
    endProgress();
  }
  for (const part of parts) rmSync(partPath(out, part), { force: true });
}
