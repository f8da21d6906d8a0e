/** Files of the command line; what goes wrong with them is said in one sentence. */
import {
  accessSync,
  constants,
  existsSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { dirname, resolve } from 'node:path';
import { UserError } from '../user-error';

function reason(error: unknown): string {
  const { code, message } = error as NodeJS.ErrnoException;
  if (code === 'ENOENT') return 'there is no such file or folder';
  if (code === 'EACCES') return 'reading or writing it is not allowed';
  if (code === 'EISDIR') return 'it is a folder';
  return message;
}

export function readBytes(path: string): Uint8Array {
  try {
    return readFileSync(path);
  } catch (error) {
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

/** Throws UserError unless a file of this path can be written. */
export function checkWritable(path: string): void {
  try {
    accessSync(dirname(resolve(path)), constants.W_OK);
    if (existsSync(path) && statSync(path).isDirectory())
      throw Object.assign(new Error(), { code: 'EISDIR' });
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    const why = code === 'ENOENT' ? 'there is no such folder' : reason(error);
    throw new UserError(`${path} cannot be written: ${why}.`);
  }
}

/** Writes aside and moves into place, so that an interrupted run leaves the file before it. */
export function writeWhole(path: string, data: Uint8Array | string): void {
  const aside = `${path}.${process.pid}.part`;
  try {
    writeFileSync(aside, data);
    renameSync(aside, path);
  } catch (error) {
    rmSync(aside, { force: true });
    throw new UserError(`${path} cannot be written: ${reason(error)}.`);
  }
}
