/** hash-wasm (MIT) hashes piece by piece, which browsers do not, twice as fast as JavaScript would; fetched for large files only. */
import { createSHA256 } from 'hash-wasm';
import type { FileBytes } from './file-bytes';

const PIECE_BYTES = 2 ** 23;

/** SHA-256 of a file of any size, in hexadecimal digits. */
export async function streamedSha256(file: FileBytes, signal?: AbortSignal): Promise<string> {
  const hash = (await createSHA256()).init();
  for (let at = 0; at < file.size; at += PIECE_BYTES) {
    hash.update(await file.read(at, Math.min(at + PIECE_BYTES, file.size), signal));
  }
  return hash.digest('hex');
}
