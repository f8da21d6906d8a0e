/** Own text in a link: UTF-8, deflated where the browser can, then base64url. The first letter says which. */
import { UserError } from '../../base/user-error';
import { longestTextCharacters } from '../limits';

const deflated = 'z';
const plain = 'u';

/** The text as it stands in a link. Lone surrogates do not survive UTF-8: pass text through `wellFormed` first. */
export async function packText(text: string): Promise<string> {
  const bytes = new TextEncoder().encode(text);
  if (typeof CompressionStream === 'undefined') return plain + toBase64Url(bytes);
  const packed = await collect(
    through(bytes, new CompressionStream('deflate-raw')),
    Number.POSITIVE_INFINITY,
  );
  return packed.length < bytes.length ? deflated + toBase64Url(packed) : plain + toBase64Url(bytes);
}

/** @throws UserError when the text in the link is damaged, or longer than the page takes */
export async function unpackText(packed: string): Promise<string> {
  const longestBytes = longestTextCharacters * 4;
  let text: string;
  try {
    const kind = packed[0];
    if (kind !== deflated && kind !== plain) throw new Error('unknown packing');
    const bytes = fromBase64Url(packed.slice(1));
    const whole =
      kind === plain
        ? bytes
        : await collect(through(bytes, new DecompressionStream('deflate-raw')), longestBytes);
    text = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(whole);
  } catch (error) {
    if (error instanceof UserError) throw error;
    throw new UserError(
      'The text in the link is damaged; ask for the link again, or paste the text yourself.',
    );
  }
  if (text.length > longestTextCharacters) throw tooLong();
  if (text.trim() === '') throw new UserError('The text in the link is empty.');
  return text;
}

/** The text with lone surrogates replaced, so that every way through the page gives the same characters. */
export function wellFormed(text: string): string {
  return new TextDecoder('utf-8', { ignoreBOM: true }).decode(new TextEncoder().encode(text));
}

function through(
  bytes: Uint8Array<ArrayBuffer>,
  transform: { readable: ReadableStream<Uint8Array>; writable: WritableStream<BufferSource> },
): ReadableStream<Uint8Array> {
  const writer = transform.writable.getWriter();
  // Failures surface where the other end is read.
  writer.write(bytes).catch(() => {});
  writer.close().catch(() => {});
  return transform.readable;
}

/** Reads a stream up to `longest` bytes: a small link must not unfold into gigabytes. */
async function collect(
  stream: ReadableStream<Uint8Array>,
  longest: number,
): Promise<Uint8Array<ArrayBuffer>> {
  const reader = stream.getReader();
  const parts: Uint8Array[] = [];
  let size = 0;
  for (;;) {
    const { done, value } = await reader.read();
    if (done) break;
    size += value.length;
    if (size > longest) {
      await reader.cancel();
      throw tooLong();
    }
    parts.push(value);
  }
  const whole = new Uint8Array(size);
  let offset = 0;
  for (const part of parts) {
    whole.set(part, offset);
    offset += part.length;
  }
  return whole;
}

function tooLong(): UserError {
  return new UserError(
    `The text in the link is longer than ${longestTextCharacters.toLocaleString('en')} characters, the most the page takes.`,
  );
}

function toBase64Url(bytes: Uint8Array): string {
  let binary = '';
  for (const byte of bytes) binary += String.fromCharCode(byte);
  return btoa(binary).replaceAll('+', '-').replaceAll('/', '_').replaceAll('=', '');
}

function fromBase64Url(text: string): Uint8Array<ArrayBuffer> {
  if (!/^[A-Za-z0-9_-]*$/.test(text)) throw new Error('not base64url');
  const binary = atob(text.replaceAll('-', '+').replaceAll('_', '/'));
  return Uint8Array.from(binary, (character) => character.charCodeAt(0));
}
