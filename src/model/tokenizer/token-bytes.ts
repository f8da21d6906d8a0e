/**
 * What one token stands for, as UTF-8 bytes: a token may hold a part of a character only. `isAdded`: it is one of those that
 * are found in the text as they are written.
 */
export type TokenBytes = (token: string, isAdded: boolean) => Uint8Array;

/**
 * How tokens are spelled, given by the `decoder` of tokenizer.json: byte-level (each character of a token is one byte, as in GPT-2,
 * Llama 3 and Qwen), or text with ▁ for a space and `<0xE2>` for single bytes (as in Llama 2).
 */
export function tokenBytesOf(decoder: unknown): TokenBytes {
  return usesByteLevel(decoder) ? byteLevelBytes : textBytes;
}

function usesByteLevel(decoder: unknown): boolean {
  if (typeof decoder !== 'object' || decoder === null) return false;
  const { type, decoders } = decoder as { type?: unknown; decoders?: unknown };
  return type === 'ByteLevel' || (Array.isArray(decoders) && decoders.some(usesByteLevel));
}

/**
 * GPT-2's alphabet (openai/gpt-2, encoder.py, bytes_to_unicode): printable Latin-1 stands for itself, the other bytes
 * for the characters from U+0100 on, in order.
 */
const byteOfCharacter = new Map<string, number>();
let next = 0x100;
for (let byte = 0; byte < 256; byte++) {
  const printable = (byte >= 0x21 && byte <= 0x7e) || (byte >= 0xa1 && byte !== 0xad);
  byteOfCharacter.set(String.fromCodePoint(printable ? byte : next++), byte);
}

const characterOfByte = [...byteOfCharacter].sort(([, a], [, b]) => a - b).map(([character]) => character);

const encoder = new TextEncoder();

/** A text as byte-level tokens spell it: a character for each of its bytes. */
export function byteLevelText(text: string): string {
  let spelled = '';
  for (const byte of encoder.encode(text)) spelled += characterOfByte[byte];
  return spelled;
}

function byteLevelBytes(token: string, isAdded: boolean): Uint8Array {
  if (isAdded) return encoder.encode(token);
  const bytes: number[] = [];
  for (const character of token) {
    const byte = byteOfCharacter.get(character);
    if (byte === undefined) bytes.push(...encoder.encode(character));
    else bytes.push(byte);
  }
  return Uint8Array.from(bytes);
}

function textBytes(token: string, isAdded: boolean): Uint8Array {
  const single = !isAdded && /^<0x([0-9A-F]{2})>$/.exec(token);
  return single ? Uint8Array.of(Number.parseInt(single[1]!, 16)) : encoder.encode(token.replaceAll('▁', ' '));
}
