/**
 * The file that a command writes: checked before any work, written aside and moved into place, so that an interrupted run
 * leaves what was there before.
 */
import { createHash } from 'node:crypto';
import {
  accessSync,
  type BigIntStats,
  chmodSync,
  constants,
  lstatSync,
  readdirSync,
  readlinkSync,
  realpathSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { basename, dirname, join, resolve, sep } from 'node:path';
import { UserError } from '../base/user-error';
import { parseShardIndex, SHARD_INDEX_FILE } from '../model/files/safetensors-shards';
import { readJson, reason } from './files';

/** Links that are followed until they count as a circle. */
const MOST_LINKS = 40;

/** What a command reads. */
export interface Inputs {
  readonly files: readonly string[];
  /** Model folders. */
  readonly folders: readonly string[];
}

/** Files of a model folder that are read where they are there: a new one of that name changes the model. */
const MODEL_FILES = [
  'config.json',
  'model.safetensors',
  'model.safetensors.index.json',
  'tokenizer.json',
  'tokenizer_config.json',
  'keyhole-calibration.safetensors',
];

/**
 * Throws UserError unless a file of this path can be written without harm: its folder is there, what is there already is a
 * regular file, and neither it nor what a link leads to is one of the inputs.
 */
export function checkOutput(path: string, { files, folders }: Inputs): void {
  const target = targetOf(path);
  const there = statsOf(target);
  const isSame = (other: string): boolean => {
    const stats = statsOf(other);
    return there !== null && stats !== null && stats.ino === there.ino && stats.dev === there.dev;
  };
  const input = files.find(isSame);
  if (input !== undefined)
    throw new UserError(`--out ${path} is the file ${input}, which is read; name another file.`);
  for (const folder of folders) {
    const shards = shardsOf(folder);
    const isNamed = [...MODEL_FILES, ...shards].some(
      (name) => target === join(realFolder(folder) ?? '', name),
    );
    if (isNamed || [...entriesOf(folder), ...shards].some((name) => isSame(join(folder, name)))) {
      throw new UserError(`--out ${path} is a file of the model in ${folder}; name one outside that folder.`);
    }
  }
}

/** Writes aside, in the folder of what the path or its link leads to, and moves into place. Throws UserError. */
export function writeWhole(path: string, data: Uint8Array | string): void {
  const target = targetOf(path);
  // A short name: one as long as the file's own may be too long with anything added.
  const aside = join(dirname(target), `.keyhole-${process.pid}.part`);
  const release = holdSignals();
  try {
    writeFileSync(aside, data);
    const there = statsOf(target);
    if (there) chmodSync(aside, Number(there.mode) & 0o7777);
    renameSync(aside, target);
  } catch (error) {
    rmSync(aside, { force: true });
    throw cannotWrite(path, reason(error));
  } finally {
    release();
  }
}

/** The path of a file beside the one that `path` leads to, named after it; where that name would be too long, by its digest. */
export function besidePath(path: string, suffix: string): string {
  const target = targetOf(path);
  const name = `${basename(target)}.${suffix}`;
  // As long as names may be in practice, with room for what is added while a file is written.
  if (Buffer.byteLength(name) <= 200) return join(dirname(target), name);
  const digest = createHash('sha256').update(basename(target)).digest('hex').slice(0, 16);
  return join(dirname(target), `.keyhole-${digest}.${suffix}`);
}

/** Writes JSON. Throws UserError for numbers that JSON has not, which it would write as null: that means something else. */
export function writeJson(path: string, value: unknown, indent?: number): void {
  const text = JSON.stringify(
    value,
    (key, part: unknown) => {
      if (typeof part === 'number' && !Number.isFinite(part))
        throw new UserError(`${path} is not written: ${key} would be ${part}, which is no number.`);
      return part;
    },
    indent,
  );
  writeWhole(path, `${text}\n`);
}

const heldSignals = { SIGINT: 130, SIGTERM: 143, SIGHUP: 129 } as const;
let writing = 0;

function endBySignal(signal: NodeJS.Signals): void {
  process.exit(heldSignals[signal as keyof typeof heldSignals]);
}

/** A signal that comes while a file is written ends the process once it is in place: nothing unfinished stays. */
function holdSignals(): () => void {
  const signals = Object.keys(heldSignals) as (keyof typeof heldSignals)[];
  if (writing++ === 0) for (const signal of signals) process.on(signal, endBySignal);
  const release = (): void => {
    if (--writing === 0) for (const signal of signals) process.off(signal, endBySignal);
  };
  // What came meanwhile is heard in the next turn of the event loop.
  return () => setTimeout(release, 20).unref();
}

function cannotWrite(path: string, why: string): UserError {
  return new UserError(`${path} cannot be written: ${why}.`);
}

/** The file itself, without links; it need not be there. Throws UserError where none can be written. */
function targetOf(path: string): string {
  const fail = (why: string): never => {
    throw cannotWrite(path, why);
  };
  if (path.endsWith('/') || path.endsWith(sep)) fail('the name is that of a folder');
  let target = resolve(path);
  for (let links = 0; ; links++) {
    if (links > MOST_LINKS) fail('its links lead in a circle');
    try {
      target = join(realpathSync(dirname(target)), basename(target));
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      fail(code === 'ENOENT' ? 'there is no such folder' : reason(error));
    }
    // Standard output and its kin are links to there.
    if (/^\/(proc|dev\/fd)(\/|$)/.test(target)) fail('it is a stream or a part of the system, not a file');
    let entry: ReturnType<typeof lstatSync> | undefined;
    try {
      entry = lstatSync(target, { throwIfNoEntry: false });
      if (!entry?.isSymbolicLink()) {
        if (entry?.isDirectory()) fail('it is a folder');
        if (entry && !entry.isFile()) fail('it is no regular file but a pipe, a device or a socket');
        accessSync(dirname(target), constants.W_OK | constants.X_OK);
        if (entry) accessSync(target, constants.W_OK);
        return target;
      }
      target = resolve(dirname(target), readlinkSync(target));
    } catch (error) {
      if (error instanceof UserError) throw error;
      fail(reason(error));
    }
  }
}

function statsOf(path: string): BigIntStats | null {
  try {
    return statSync(path, { bigint: true });
  } catch {
    return null;
  }
}

function realFolder(folder: string): string | null {
  try {
    return realpathSync(folder);
  } catch {
    return null;
  }
}

/** Weight files that a model's index names, which may lie in folders below; none where it cannot be read, which reading the model says. */
function shardsOf(folder: string): readonly string[] {
  try {
    return [...new Set(parseShardIndex(readJson(join(folder, SHARD_INDEX_FILE))).values())];
  } catch {
    return [];
  }
}

/** What lies in a folder; nothing where there is none, which reading the model says. */
function entriesOf(folder: string): readonly string[] {
  try {
    return readdirSync(folder);
  } catch {
    return [];
  }
}
