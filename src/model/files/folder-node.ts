import { type FileHandle, open } from 'node:fs/promises';
import { basename, join, resolve } from 'node:path';
import { quote } from '../../base/quote';
import { UserError } from '../../base/user-error';
import type { ModelFolder } from '../load';

/** A model folder on disk. */
export function nodeFolder(folder: string): ModelFolder {
  return { name: basename(resolve(folder)), read: (path) => readIfThere(join(folder, path)) };
}

/** The bytes of a file; null if there is none. UserError if there is one that cannot be read. */
async function readIfThere(path: string): Promise<Uint8Array<ArrayBuffer> | null> {
  let handle: FileHandle | undefined;
  try {
    handle = await open(path);
    return await readWhole(handle);
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT' || code === 'ENOTDIR') return null;
    throw new UserError(`${quote(path, 200)} cannot be read: ${code ?? message}.`);
  } finally {
    await handle?.close();
  }
}

/** In pieces, as one read cannot pass 2 GiB. */
async function readWhole(handle: FileHandle): Promise<Uint8Array<ArrayBuffer>> {
  const { size } = await handle.stat();
  const bytes = new Uint8Array(size);
  let at = 0;
  while (at < size) {
    const { bytesRead } = await handle.read(bytes, at, Math.min(size - at, 2 ** 30), at);
    if (bytesRead === 0) throw new Error('it became shorter while it was read');
    at += bytesRead;
  }
  return bytes;
}
