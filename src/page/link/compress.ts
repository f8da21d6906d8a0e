/** Own text in a link: UTF-8, deflated where the browser can, then base64url. The first letter says which. */
import { deflate, inflate } from '../../base/deflate';
import { UserError } from '../../base/user-error';
import { LONGEST_TEXT_CHARACTERS } from '../limits';

const DEFLATED = 'z';
const PLAIN = 'u';

/** The text as it stands in a link. Lone surrogates do not survive UTF-8: pass text through `wellFormed` first. */
export async function packText(text: string): Promise<string> {
  const bytes = new TextEncoder().encode(text);
  if (typeof CompressionStream === 'undefined') return PLAIN + toBase64Url(bytes);
  const packed = await deflate(bytes);
  return packed.length < bytes.length ? DEFLATED + toBase64Url(packed) : PLAIN + toBase64Url(bytes);
}

/** @throws UserError when the text in the link is damaged, or longer than the page takes */
export async function unpackText(packed: string): Promise<string> {
  const longestBytes = LONGEST_TEXT_CHARACTERS * 4;
  let text: string;
  try {
    const kind = packed[0];
    if (kind !== DEFLATED && kind !== PLAIN) throw new Error('unknown packing');
    const bytes = fromBase64Url(packed.slice(1));
    const whole = kind === PLAIN ? bytes : await inflate(bytes, longestBytes);
    text = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(whole);
  } catch (error) {
    if (error instanceof RangeError) throw tooLong();
    throw new UserError(
      'The text in the link is damaged; ask for the link again, or paste the text yourself.',
    );
  }
  if (text.length > LONGEST_TEXT_CHARACTERS) throw tooLong();
  if (text.trim() === '') throw new UserError('The text in the link is empty.');
  return text;
}

/** The text with lone surrogates replaced, so that every way through the page gives the same characters. */
export function wellFormed(text: string): string {
  return new TextDecoder('utf-8', { ignoreBOM: true }).decode(new TextEncoder().encode(text));
}

function tooLong(): UserError {
  return new UserError(
    `The text in the link is longer than ${LONGEST_TEXT_CHARACTERS.toLocaleString('en')} characters, the most the page takes.`,
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
