/** Files that the command line reads; what goes wrong with them is said in one sentence. */
import { readFileSync, statSync } from 'node:fs';
import { UserError } from '../base/user-error';
import type { FileBytes } from '../model/files/file-bytes';
import { openIfThere } from '../model/files/folder-node';

const reasons: Readonly<Record<string, string>> = {
  ENOENT: 'there is no such file or folder',
  EACCES: 'reading or writing it is not allowed',
  EPERM: 'reading or writing it is not allowed',
  EISDIR: 'it is a folder',
  ENOTDIR: 'a part of its path is a file, not a folder',
  ENAMETOOLONG: 'its name or path is too long',
  ELOOP: 'its links lead in a circle',
  EROFS: 'it lies where nothing can be written',
  ENOSPC: 'there is no space left',
  EDQUOT: 'there is no space left',
};

/** Why the system refused a file, as the end of a sentence. */
export function reason(error: unknown): string {
  const { code, message } = error as NodeJS.ErrnoException;
  return reasons[code ?? ''] ?? message;
}

export function readBytes(path: string): Uint8Array {
  try {
    return readFileSync(path);
  } catch (error) {
    throw new UserError(`${path} cannot be read: ${reason(error)}.`);
  }
}

/** A file that is read in parts, as it may be larger than memory. */
export async function openFile(path: string): Promise<FileBytes> {
  try {
    if (statSync(path).isDirectory()) throw Object.assign(new Error(), { code: 'EISDIR' });
    return (await openIfThere(path))!;
  } catch (error) {
    if (error instanceof UserError) throw error;
    throw new UserError(`${path} cannot be read: ${reason(error)}.`);
  }
}

export function readText(path: string): string {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(readBytes(path));
  } catch (error) {
    if (error instanceof UserError) throw error;
    throw new UserError(`${path} is not UTF-8 text; convert it first.`);
  }
}

export function readJson(path: string): unknown {
  try {
    return JSON.parse(readText(path));
  } catch (error) {
    if (error instanceof UserError) throw error;
    throw new UserError(`${path} is not valid JSON (${(error as Error).message}).`);
  }
}

/** An element of an array as valid JSON writes it: 1e999 and 1.0, which are other numbers once they are read. */
export function elementOf(json: string, index: number): string {
  let depth = 0;
  let at = 0;
  let start = json.indexOf('[') + 1;
  for (const { 0: sign, index: place } of json.matchAll(/"[^"\\]*(?:\\.[^"\\]*)*"|[[\]{},]/g)) {
    const isEnd = depth === 1 && (sign === ',' || sign === ']');
    if (isEnd && at === index) return json.slice(start, place).trim();
    if (isEnd) {
      at++;
      start = place + 1;
    }
    if (sign === '[' || sign === '{') depth++;
    else if (sign === ']' || sign === '}') depth--;
  }
  throw new RangeError(`there is no element ${index}`);
}
