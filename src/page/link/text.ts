/** The part of an address after "#" as keys and values, and whether all of it arrived. */
import { quote } from '../../base/quote';
import { wellFormed } from './compress';
import { isBefore020 } from './old-fractions';

const VERSION_KEY = 'v';
/** Last: a sum over what stands before it; a link that was cut on its way has none. */
const SUM_KEY = 'z';
const SUM_LENGTH = 7;
/** Not in the sum: it is never shared. */
const BACKEND_KEY = 'backend';
/** Last in links of 0.1.0, which had no sum. */
const LAST_KEY_OF_010 = 'theme';

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

/** A whole link: the pairs, and the sum over them. */
export function joinPairs(pairs: readonly (readonly [key: string, value: string])[]): string {
  const sum = sumOf(pairs.map(([key, value]) => ({ key, value })));
  return [...pairs, [SUM_KEY, sum] as const].map(([key, value]) => `${key}=${escapeValue(value)}`).join('&');
}

/** The pairs of a link as they were sent, as far as that can be told, and a sentence where they were not all there. */
export function arrivedPairs(hash: string): { pairs: readonly LinkPair[]; notice: string | null } {
  const pairs = splitPairs(hash);
  const version = pairs.find(({ key }) => key === VERSION_KEY)?.value ?? null;
  const at = pairs.findIndex(({ key }) => key === SUM_KEY);
  if (at >= 0) {
    const withoutSum = (all: readonly LinkPair[]) => all.filter((_, index) => index !== at);
    // Signs behind the sum came from the sentence that the link stood in.
    const sum = /^[0-9a-z]*/.exec(pairs[at]!.value ?? '')![0];
    const found = [pairs, unescapeOnce(pairs)].find((candidate) => sumOf(candidate.slice(0, at)) === sum);
    if (found) return { pairs: withoutSum(found), notice: null };
    const notice = sum.length < SUM_LENGTH ? wasCut(pairs.slice(0, at)) : CHANGED;
    return { pairs: withoutSum(pairs), notice };
  }
  // A link without a version was written by hand, and says what it wants to.
  const isWhole =
    version === null ||
    (isBefore020(version) && pairs.some(({ key, value }) => key === LAST_KEY_OF_010 && value !== null));
  return { pairs, notice: isWhole ? null : wasCut(pairs) };
}

const CHANGED =
  'The link was changed after it was made: what it says now is shown, which may not be what was meant.';

function wasCut(pairs: readonly LinkPair[]): string {
  const last = pairs.at(-1);
  const part = last ? `, and its last value, of ${quote(last.key, 40)}, may be only a part` : '';
  return `The link was cut on the way: its end is missing${part}. Ask for it again.`;
}

/**
 * Never throws; the first of several equal keys counts. What mail, chat and routers do to links is undone first: signs in front,
 * line breaks, "&" written as HTML, once or several times, and one more round of escapes over all of it.
 */
function splitPairs(hash: string): LinkPair[] {
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
function unescapeOnce(pairs: readonly LinkPair[]): LinkPair[] {
  return pairs.map(({ key, value }) => ({
    key,
    value: value === null ? null : (unescapeValue(value) ?? value),
  }));
}

/** A short sum over pairs, in order. */
function sumOf(pairs: readonly LinkPair[]): string {
  const text = pairs
    .filter(({ key }) => key !== BACKEND_KEY)
    .map(({ key, value }) => `${key}=${wellFormed(value ?? '')}`)
    .join('&');
  // FNV-1a, 32 bits.
  let hash = 0x811c9dc5;
  for (const byte of new TextEncoder().encode(text)) hash = Math.imul(hash ^ byte, 0x01000193);
  return (hash >>> 0).toString(36).padStart(SUM_LENGTH, '0');
}

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
