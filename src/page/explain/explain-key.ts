/** Why a query sees a key, or does not: the rule that decided, and the numbers that decided by it. */
import { isHeavy } from '../../measure/missed';
import { KEY_FATES, type KeyFate, type QueryRow, type RowRule } from '../../measure/results';

export interface KeyExplanation {
  readonly fate: KeyFate;
  readonly isMissed: boolean;
  /** Whose positions the weight is under; 'cache': there is none to show. */
  readonly positions: QueryRow['positions'];
  /** The key's probability among all that the query could see, and its rank among them. */
  readonly weight: number;
  readonly weightRank: number;
  readonly visible: number;
  readonly rule: RowRule;
  /** That of the row. */
  readonly layer: number;
  /** Null where no score decided about this key. */
  readonly score: DecidingScore | null;
  /** Of a method with sub-caches: where a kept key is; of a dropped one, where its nearest neighbours that stayed are. */
  readonly places: readonly SubCachePlace[];
  /** Of a key that was dropped as one of two: who stayed then, null where it was compared with none. Undefined: it was not. */
  readonly lostTo: number | null | undefined;
  /** How many of the query's keys have which fate. */
  readonly counts: Readonly<Record<KeyFate, number>>;
}

/** A kept key, and the sub-cache that holds it, counted from 1. */
export interface SubCachePlace {
  readonly key: number;
  readonly number: number;
  readonly of: number;
  readonly every: number;
}

/** A key's score among those that it was compared with. */
export interface DecidingScore {
  readonly value: number;
  readonly rank: number;
  /** Keys or units (RowRule.unit) that were compared, and how many of them stayed. */
  readonly of: number;
  readonly kept: number;
  /** Score of the last one kept; null: none was. Where a threshold decides, that. */
  readonly cut: number | null;
  /** What decided among keys whose score is the cut's: this key's second score and that of the last one kept. Null: not needed. */
  readonly second: { readonly value: number; readonly cut: number } | null;
  /** Keys or units that equal the last one kept in all scores, itself included; null unless this key is one of several. */
  readonly tied: number | null;
  /** Tokens that were compared among themselves; null: all candidates. */
  readonly partition: { readonly start: number; readonly end: number } | null;
}

export function explainKey(row: QueryRow, key: number): KeyExplanation {
  const visible = row.query + 1;
  const weight = row.weights[key] ?? 0;
  return {
    fate: fateOf(row, key),
    isMissed: isMissed(row, key),
    positions: row.positions,
    weight,
    weightRank: 1 + countAbove(row.weights, weight, 0, visible),
    visible,
    rule: row.rule,
    layer: row.layer,
    score: decidingScore(row, key),
    places: placesOf(row, key),
    lostTo: row.rule.comparisons?.find(({ dropped }) => dropped === key)?.stayed,
    counts: countFates(row),
  };
}

export function countFates(row: QueryRow): Record<KeyFate, number> {
  const counts = Object.fromEntries(KEY_FATES.map((fate) => [fate, 0])) as Record<KeyFate, number>;
  for (const fate of row.fates) counts[KEY_FATES[fate]!] += 1;
  return counts;
}

function fateOf(row: QueryRow, key: number): KeyFate {
  return KEY_FATES[row.fates[key] ?? 0]!;
}

function placesOf(row: QueryRow, key: number): SubCachePlace[] {
  const { subCaches } = row.rule;
  if (!subCaches) return [];
  const held: SubCachePlace[] = [];
  let number = 0;
  let room = subCaches[0]!.tokens;
  for (let token = row.query; token >= 0; token--) {
    const fate = fateOf(row, token);
    if (fate !== 'local' && fate !== 'selected') continue;
    while (room === 0 && number + 1 < subCaches.length) room = subCaches[++number]!.tokens;
    room -= 1;
    const { every } = subCaches[number]!;
    held.push({ key: token, number: number + 1, of: subCaches.length, every });
  }
  const own = held.find((place) => place.key === key);
  if (own || fateOf(row, key) !== 'dropped') return own ? [own] : [];
  const earlier = held.find((place) => place.key < key);
  const later = held.findLast((place) => place.key > key);
  return [earlier, later].filter((place) => place !== undefined);
}

function decidingScore(row: QueryRow, key: number): DecidingScore | null {
  const { scores, secondary, rule } = row;
  const value = scores?.[key] ?? Number.NaN;
  if (!scores || Number.isNaN(value)) return null;
  const partition = partitionOf(rule, key);
  const { start, end } = partition ?? { start: 0, end: row.query + 1 };
  let of = 0;
  let kept = 0;
  let above = 0;
  let last: number | null = null;
  for (let token = start; token < end; token++) {
    if (!isCompared(row, token)) continue;
    of += 1;
    if (scores[token]! > value) above += 1;
    if (fateOf(row, token) !== 'selected') continue;
    kept += 1;
    if (last === null || isBehind(row, token, last)) last = token;
  }
  const compared = { value, rank: 1 + above, of, kept, partition };
  if (rule.threshold !== undefined) return { ...compared, cut: rule.threshold, second: null, tied: null };
  const cut = last === null ? null : scores[last]!;
  const isAtCut = last !== null && value === cut;
  const second = isAtCut && secondary ? { value: secondary[key]!, cut: secondary[last!]! } : null;
  const tied = last !== null && isAtCut ? countEqual(row, last, start, end) : 0;
  const isTied = tied > 1 && (second === null || second.value === second.cut);
  return {
    ...compared,
    cut,
    second: second && isSecondNeeded(row, cut!, second.cut, start, end) ? second : null,
    tied: isTied ? tied : null,
  };
}

/** Whether a token was compared with others: of a unit its first candidate stands for all. */
function isCompared({ scores, rule }: QueryRow, token: number): boolean {
  if (Number.isNaN(scores![token]!)) return false;
  const tokens = rule.unit?.tokens;
  return (
    !tokens || (token - tokens.start) % tokens.each === 0 || token === 0 || Number.isNaN(scores![token - 1]!)
  );
}

/** The partition that a key was compared in; null where all keys were. */
function partitionOf({ partitions }: RowRule, key: number): { start: number; end: number } | null {
  if (!partitions) return null;
  const start = key - ((key - partitions.start) % partitions.tokens);
  return { start, end: start + partitions.tokens };
}

/** Whether of two kept keys the first would have been dropped before the second. */
function isBehind({ scores, secondary }: QueryRow, token: number, other: number): boolean {
  if (scores![token] !== scores![other]) return scores![token]! < scores![other]!;
  if (secondary && secondary[token] !== secondary[other]) return secondary[token]! < secondary[other]!;
  return token > other;
}

/** Whether keys with the cut's score differ in their second one: otherwise that decided nothing. */
function isSecondNeeded(
  { scores, secondary }: QueryRow,
  cut: number,
  secondCut: number,
  start: number,
  end: number,
): boolean {
  for (let token = start; token < end; token++) {
    if (scores![token] === cut && secondary![token] !== secondCut) return true;
  }
  return false;
}

function countEqual(row: QueryRow, like: number, start: number, end: number): number {
  const { scores, secondary } = row;
  let equal = 0;
  for (let token = start; token < end; token++) {
    if (!isCompared(row, token) || scores![token] !== scores![like]) continue;
    if (!secondary || secondary[token] === secondary[like]) equal += 1;
  }
  return equal;
}

function countAbove(values: Float32Array, limit: number, start: number, end: number): number {
  let above = 0;
  for (let at = start; at < end; at++) if (values[at]! > limit) above += 1;
  return above;
}

/** See src/measure/missed.ts for when a dropped key is missed. */
export function isMissed(row: QueryRow, key: number): boolean {
  if (row.positions === 'cache') return false;
  return KEY_FATES[row.fates[key]!] === 'dropped' && isHeavy(key, row.weights[key]!, row.firstWeight);
}

export function isKept(row: QueryRow, key: number): boolean {
  const fate = KEY_FATES[row.fates[key]!];
  return fate !== 'future' && fate !== 'dropped' && fate !== 'mixed';
}

/** Whether the query could have seen one of the tokens [start, end), and it is gone: not one that is still to come or mixed with others. */
export function isAnyDropped(
  row: QueryRow,
  { start, end }: { readonly start: number; readonly end: number },
): boolean {
  return row.fates.subarray(start, end).includes(KEY_FATES.indexOf('dropped'));
}

/** How many of the tokens [start, end) the query sees. */
export function keptIn(
  row: QueryRow,
  { start, end }: { readonly start: number; readonly end: number },
): number {
  let kept = 0;
  for (let token = start; token < end; token++) if (isKept(row, token)) kept += 1;
  return kept;
}
