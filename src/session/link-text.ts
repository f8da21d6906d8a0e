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

/** Never throws; the first of several equal keys counts. */
export function splitPairs(hash: string): LinkPair[] {
  const seen = new Map<string, LinkPair>();
  for (const part of hash.replace(/^#/, '').split('&')) {
    if (part === '') continue;
    const cut = part.indexOf('=');
    const key = unescapeValue(cut < 0 ? part : part.slice(0, cut)) ?? part;
    if (!seen.has(key)) seen.set(key, { key, value: cut < 0 ? '' : unescapeValue(part.slice(cut + 1)) });
  }
  return [...seen.values()];
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
