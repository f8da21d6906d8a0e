/**
 * One writer at a time for a file that is read, added to and written again: a file beside it names the process that does. It
 * goes with that process, and where it stays behind it is seen to be stale.
 */
import { linkSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { hostname } from 'node:os';
import { z } from 'zod';
import { UserError } from '../base/user-error';
import { reason } from './files';
import { besidePath } from './output';

const holderSchema = z.object({
  pid: z.number().int().positive(),
  host: z.string(),
  /** When the process began, in the system's ticks: another one may get its number later. Null where the system does not say. */
  started: z.string().nullable(),
});
type Holder = z.infer<typeof holderSchema>;

/**
 * Takes the lock of the file at `path`, until the process ends or the returned function is called. Throws UserError while
 * another process holds it.
 */
export function lockFile(path: string): () => void {
  const lock = besidePath(path, 'lock');
  const mine: Holder = { pid: process.pid, host: hostname(), started: startOf(process.pid) };
  const aside = `${lock}.${process.pid}`;
  try {
    // Linked in one step, whole: nobody reads half a lock.
    writeFileSync(aside, JSON.stringify(mine));
    while (!tryLink(aside, lock)) {
      const holder = readHolder(lock);
      if (holder && !isStale(holder)) throw busy(path, lock, holder, mine.host);
      if (!holder && isForeign(lock))
        throw new UserError(`${lock} is there and is no lock; name another --out.`);
      removeStale(lock, aside);
    }
  } catch (error) {
    if (error instanceof UserError) throw error;
    throw new UserError(`${lock} cannot be written: ${reason(error)}.`);
  } finally {
    rmSync(aside, { force: true });
  }
  const release = (): void => {
    process.off('exit', release);
    if (readHolder(lock)?.pid === mine.pid) rmSync(lock, { force: true });
  };
  process.on('exit', release);
  return release;
}

function tryLink(from: string, to: string): boolean {
  try {
    linkSync(from, to);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false;
    throw error;
  }
}

/** Takes a stale lock away; one that has just been taken over by somebody else is put back. */
function removeStale(lock: string, aside: string): void {
  const old = `${aside}.old`;
  try {
    renameSync(lock, old);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return;
    throw error;
  }
  const taken = readHolder(old);
  if (taken && !isStale(taken)) tryLink(old, lock);
  rmSync(old, { force: true });
}

/** Who holds a lock; null where it is gone or says nothing. */
function readHolder(lock: string): Holder | null {
  try {
    return holderSchema.safeParse(JSON.parse(readFileSync(lock, 'utf8'))).data ?? null;
  } catch {
    return null;
  }
}

/** Whether what lies at a lock's place is something else, such as a package manager's file: neither a lock nor a part of one. */
function isForeign(lock: string): boolean {
  try {
    return !/^\s*$|^\{"pid"/.test(readFileSync(lock, 'utf8'));
  } catch (error) {
    return (error as NodeJS.ErrnoException).code !== 'ENOENT';
  }
}

/** Whether the process is known to have ended; of another machine's nothing is known. */
function isStale({ pid, host, started }: Holder): boolean {
  if (host !== hostname()) return false;
  try {
    process.kill(pid, 0);
  } catch (error) {
    // EPERM: it runs, as somebody else's.
    return (error as NodeJS.ErrnoException).code === 'ESRCH';
  }
  const now = startOf(pid);
  return now !== null && started !== null && now !== started;
}

function busy(path: string, lock: string, holder: Holder, host: string): UserError {
  return holder.host === host
    ? new UserError(
        `${path} is being written by process ${holder.pid}; wait until it has ended, or name another file.`,
      )
    : new UserError(
        `${path} is being written by process ${holder.pid} of ${holder.host}; wait until it has ended, or if it no longer runs remove ${lock}.`,
      );
}

/** The 22nd field of /proc/PID/stat; the second may hold blanks and parentheses. */
function startOf(pid: number): string | null {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    return stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19] ?? null;
  } catch {
    return null;
  }
}
