/** Runs the command line: in this process, which has loaded and compiled it, or built and as a child process, the way a script does. */
import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, expect } from 'vitest';
import { ensureBundle } from '../../scripts/bundle.mjs';
import { runCommandLine } from '../../src/cli/run';
import { readSafetensors, type SafetensorsFile } from '../../src/model/files/safetensors';

export interface Outcome {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

export const CAPTURE_FIXTURE = 'tests/fixtures/methods.inputs.safetensors';
export const MODEL_FIXTURE = 'tests/fixtures/llama-gqa';

/** One at a time: what they print is told apart by when it comes. */
let lastRun: Promise<unknown> = Promise.resolve();

async function runHere(args: string[]): Promise<Outcome> {
  const written = { stdout: '', stderr: '' };
  const write = { stdout: process.stdout.write, stderr: process.stderr.write };
  for (const name of ['stdout', 'stderr'] as const) {
    process[name].write = (text: unknown, ...rest: unknown[]) => {
      written[name] += text;
      const then = rest.at(-1);
      if (typeof then === 'function') then();
      return true;
    };
  }
  try {
    return { code: await runCommandLine(args), ...written };
  } finally {
    for (const name of ['stdout', 'stderr'] as const) process[name].write = write[name];
  }
}

/** A scratch folder and the command line; call once at the top of a test file. */
export function openCommandLine() {
  let program = '';
  const folder = mkdtempSync(join(tmpdir(), 'keyhole-cli-'));
  const path = (name: string): string => join(folder, name);

  beforeAll(async () => {
    program = await ensureBundle('src/cli.ts', 'cli');
  });
  afterAll(() => rmSync(folder, { recursive: true }));

  const run = (file: string, args: string[]): Promise<Outcome> =>
    new Promise((resolve) => {
      const env = { ...process.env, KEYHOLE: process.execPath, PROGRAM: program };
      execFile(file, args, { env }, (error, stdout, stderr) => {
        resolve({ code: error ? Number(error.code) : 0, stdout, stderr });
      });
    });
  const keyhole = (...args: string[]): Promise<Outcome> => {
    // Starts others of its own program, or asks whether one started it.
    if (args.includes('--processes') || args.includes('--part'))
      return run(process.execPath, [program, ...args]);
    const outcome = lastRun.then(() => runHere(args));
    lastRun = outcome.catch(() => {});
    return outcome;
  };

  /** A line of bash in which "$KEYHOLE" "$PROGRAM" is the command line. */
  keyhole.shell = (line: string): Promise<Outcome> => run('bash', ['-c', line]);

  /** Starts a command and leaves it running. */
  function start(...args: string[]): ChildProcess & { readonly pid: number } {
    return spawn(process.execPath, [program, ...args], { stdio: 'ignore' }) as never;
  }

  const parts = (out: string): string[] =>
    existsSync(dirname(out))
      ? readdirSync(dirname(out)).filter((name) => /^\.keyhole-.*\.part$/.test(name))
      : [];

  return {
    path,
    keyhole,
    start,
    write(name: string, content: string | Uint8Array): string {
      writeFileSync(path(name), content);
      return path(name);
    },
    read: (name: string): string => readFileSync(path(name), 'utf8'),
    tensors: (name: string): SafetensorsFile => readSafetensors(readFileSync(path(name)), name),

    /** Runs a command that writes `name`; it must end well and say nothing about it. */
    async succeed(name: string, ...args: string[]): Promise<Outcome> {
      const outcome = await keyhole(...args, '--out', path(name));
      expect(outcome, outcome.stderr).toMatchObject({ code: 0 });
      expect(existsSync(path(name)), name).toBe(true);
      expect(parts(path(name))).toEqual([]);
      return outcome;
    },

    /** Exit 1, one sentence on stderr that matches `pattern`, nothing else anywhere. */
    async fail(pattern: RegExp, ...args: string[]): Promise<void> {
      const out = args.includes('--out') ? args[args.indexOf('--out') + 1] : undefined;
      const content = (): string | null =>
        out && statSync(out, { throwIfNoEntry: false })?.isFile() ? readFileSync(out, 'latin1') : null;
      const before = content();
      const { code, stdout, stderr } = await keyhole(...args);
      expect(stderr).toMatch(pattern);
      expect(stderr).toMatch(/^\P{Cc}{10,}\.\n$/u);
      expect(stderr, 'a sentence, not a stack').not.toMatch(/Keyhole failed|\bat .*:\d+/);
      expect(code).toBe(1);
      expect(stdout).toBe('');
      expect(content(), 'no output').toBe(before);
      expect(out ? parts(out) : [], 'no unfinished output').toEqual([]);
    },
  };
}

/** The largest difference of two tensors, which have the same length and are finite. */
export function worstDifference(actual: Float32Array, wanted: Float32Array): number {
  expect(actual.length).toBe(wanted.length);
  let worst = 0;
  for (let i = 0; i < wanted.length; i++) {
    const difference = Math.abs(actual[i]! - wanted[i]!);
    worst = difference <= worst ? worst : difference;
  }
  return worst;
}
