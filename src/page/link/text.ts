/** The part of an address after "#" as keys and values. */
import { wellFormed } from './compress';

/** Characters that are legal in a fragment and make links readable: no need to escape them. */
const readable: Readonly<Record<string, string>> = {
  '%3A': ':',
  '%2C': ',',
  '%3B': ';',
  '%2F': '/',
  '%40': '@',
};

export interface LinkPair {
  readonly key: string;
  /** Null: the escapes cannot be read. */
  readonly value: string | null;
}

export function joinPairs(pairs: readonly (readonly [key: string, value: string])[]): string {
  return pairs.map(([key, value]) => `${key}=${escapeValue(value)}`).join('&');
}

/**
 * Never throws; the first of several equal keys counts. What mail, chat and routers do to links is undone first: signs in front,
 * line breaks, "&" written as HTML, once or several times, and one more round of escapes over all of it.
 */
export function splitPairs(hash: string): LinkPair[] {
  const seen = new Map<string, LinkPair>();
  for (const part of clean(hash).split('&')) {
    if (part === '') continue;
    const cut = part.indexOf('=');
    const key = unescapeValue(cut < 0 ? part : part.slice(0, cut)) ?? part;
    if (!seen.has(key)) seen.set(key, { key, value: cut < 0 ? '' : unescapeValue(part.slice(cut + 1)) });
  }
  return [...seen.values()];
}

/** The pairs with one more round of escapes taken from their values; the same ones where there is none. */
export function unescapeOnce(pairs: readonly LinkPair[]): LinkPair[] {
  return pairs.map(({ key, value }) => ({
    key,
    value: value === null ? null : (unescapeValue(value) ?? value),
  }));
}

/** A short sum over pairs, in order; a link that ends in it was neither cut nor changed. */
export function markOf(pairs: readonly (readonly [key: string, value: string | null])[]): string {
  const text = pairs.map(([key, value]) => `${key}=${wellFormed(value ?? '')}`).join('&');
  // FNV-1a, 32 bits.
  let hash = 0x811c9dc5;
  for (const byte of new TextEncoder().encode(text)) hash = Math.imul(hash ^ byte, 0x01000193);
  return (hash >>> 0).toString(36).padStart(MARK_LENGTH, '0');
}

export const MARK_LENGTH = 7;

function clean(hash: string): string {
  const text = hash.replace(/^[\s#?/!]+/, '').replace(/[\r\n]+/g, '');
  const whole = !text.includes('=') && /%3d/i.test(text) ? (unescapeValue(text) ?? text) : text;
  return whole.replace(/&(?:amp;)+/gi, '&');
}

function escapeValue(value: string): string {
  return encodeURIComponent(wellFormed(value)).replace(
    /%3A|%2C|%3B|%2F|%40/g,
    (escaped) => readable[escaped]!,
  );
}

function unescapeValue(text: string): string | null {
  try {
    return decodeURIComponent(text);
  } catch {
    return null;
  }
}
