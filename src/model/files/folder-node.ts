import { type FileHandle, open, readdir } from 'node:fs/promises';
import { basename, dirname, join, resolve } from 'node:path';
import { quote } from '../../base/quote';
import { UserError } from '../../base/user-error';
import { shardNames } from '../gguf/shards';
import type { ModelFolder } from '../load';
import type { FileBytes } from './file-bytes';

/** One read cannot pass 2 GiB. */
const PIECE_BYTES = 2 ** 30;

/** A model on disk: a folder, or a GGUF file. */
export function nodeFolder(folder: string): ModelFolder {
  return {
    name: basename(resolve(folder)),
    open: (path) => openIfThere(join(folder, path), path),
    gguf: () => ggufFiles(folder),
  };
}

/** The file itself, or the only one in the folder, with its shards; null if there is none. */
async function ggufFiles(path: string): Promise<FileBytes[] | null> {
  let entries: string[] | null = null;
  try {
    entries = await readdir(path);
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT') return null;
    if (code !== 'ENOTDIR') throw new UserError(`${quote(path, 200)} cannot be read: ${code ?? message}.`);
  }
  const folder = entries ? path : dirname(path);
  const [first, ...others] = new Set(
    (entries ?? [basename(path)])
      .filter((name) => name.toLowerCase().endsWith('.gguf'))
      .sort()
      .map((name) => shardNames(name)[0]!),
  );
  if (first === undefined) return null;
  if (others.length > 0)
    throw new UserError(
      `${quote(path, 200)} holds ${others.length + 1} models as GGUF files; name the one that is meant.`,
    );
  return Promise.all(
    shardNames(first).map(async (name) => {
      const file = await openIfThere(join(folder, name), name);
      if (!file) throw new UserError(`${quote(path, 200)} lacks its shard ${quote(name)}.`);
      return file;
    }),
  );
}

/** A file on disk, named as it is called for; null if there is none. UserError if there is one that cannot be read. */
export async function openIfThere(path: string, name = path): Promise<FileBytes | null> {
  const size = await using(path, async (handle) => (await handle.stat()).size);
  if (size === null) return null;
  return {
    name,
    size,
    async read(begin, end, signal) {
      const bytes = await using(path, (handle) => readRange(handle, begin, end, signal), signal);
      if (!bytes) throw new UserError(`${quote(path, 200)} is no longer there.`);
      return bytes;
    },
  };
}

/** Null where there is no such file. A file is opened for each read: many are open at a time, and none has to be closed by whoever has one. */
async function using<Result>(
  path: string,
  act: (handle: FileHandle) => Promise<Result>,
  signal?: AbortSignal,
): Promise<Result | null> {
  let handle: FileHandle | undefined;
  try {
    handle = await open(path);
    // A folder opens, and fails only when it is read.
    if ((await handle.stat()).isDirectory()) throw Object.assign(new Error(), { code: 'EISDIR' });
    return await act(handle);
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    if (signal?.aborted) throw signal.reason;
    if (code === 'ENOENT' || code === 'ENOTDIR') return null;
    throw new UserError(`${quote(path, 200)} cannot be read: ${code ?? message}.`);
  } finally {
    await handle?.close();
  }
}

async function readRange(
  handle: FileHandle,
  begin: number,
  end: number,
  signal: AbortSignal | undefined,
): Promise<Uint8Array<ArrayBuffer>> {
  const bytes = new Uint8Array(end - begin);
  let at = 0;
  while (at < bytes.byteLength) {
    signal?.throwIfAborted();
    const { bytesRead } = await handle.read(
      bytes,
      at,
      Math.min(bytes.byteLength - at, PIECE_BYTES),
      begin + at,
    );
    if (bytesRead === 0) throw new Error('it became shorter while it was read');
    at += bytesRead;
  }
  return bytes;
}
