import { UserError } from '../../base/user-error';
import { type FileBytes, readAll } from './file-bytes';

/** The browser hashes what lies in memory, and fastest; larger files are read and hashed in pieces. */
const MOST_IN_MEMORY_BYTES = 2 ** 27;

/**
 * Names a model by its content: the first 16 hexadecimal digits of SHA-256 over the SHA-256 of each file, in the given
 * order (config.json, then the weight files). UserError where a file can no longer be read.
 */
export async function digestFiles(
  files: readonly FileBytes[],
  signal?: AbortSignal,
  mostInMemoryBytes = MOST_IN_MEMORY_BYTES,
): Promise<string> {
  const digests = new Uint8Array(32 * files.length);
  for (const [index, file] of files.entries()) {
    const known = file.sha256 ?? (await sha256(file, signal, mostInMemoryBytes));
    digests.set(fromHexadecimal(known), 32 * index);
  }
  return toHexadecimal(await subtle().digest('SHA-256', digests)).slice(0, 16);
}

async function sha256(
  file: FileBytes,
  signal: AbortSignal | undefined,
  mostInMemoryBytes: number,
): Promise<string> {
  if (file.size <= mostInMemoryBytes) {
    return toHexadecimal(await subtle().digest('SHA-256', await readAll(file, signal)));
  }
  const { streamedSha256 } = await import('./streamed-sha256');
  return streamedSha256(file, signal);
}

/** Browsers offer hashing only to pages from https or localhost. */
function subtle(): SubtleCrypto {
  const { subtle } = globalThis.crypto ?? {};
  if (!subtle)
    throw new UserError('The page must be opened over https or from localhost to check its models.');
  return subtle;
}

function toHexadecimal(bytes: ArrayBuffer): string {
  return Array.from(new Uint8Array(bytes), (byte) => byte.toString(16).padStart(2, '0')).join('');
}

function fromHexadecimal(digits: string): Uint8Array {
  return Uint8Array.from({ length: 32 }, (_, i) => Number.parseInt(digits.slice(2 * i, 2 * i + 2), 16));
}
