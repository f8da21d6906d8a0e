import { UserError } from '../../base/user-error';

/**
 * Names a model by its content: the first 16 hexadecimal digits of SHA-256 over the SHA-256 of each part, in the given
 * order (config.json, then the weight files). Hashing parts by themselves keeps large models from being copied together.
 */
export async function digestParts(parts: readonly Uint8Array<ArrayBuffer>[]): Promise<string> {
  // Browsers offer hashing only to pages from https or localhost.
  const subtle = globalThis.crypto?.subtle;
  if (!subtle)
    throw new UserError('The page must be opened over https or from localhost to check its models.');
  const digests = new Uint8Array(32 * parts.length);
  for (const [index, part] of parts.entries()) {
    digests.set(new Uint8Array(await subtle.digest('SHA-256', part)), 32 * index);
  }
  const whole = new Uint8Array(await subtle.digest('SHA-256', digests));
  return Array.from(whole.subarray(0, 8), (byte) => byte.toString(16).padStart(2, '0')).join('');
}
