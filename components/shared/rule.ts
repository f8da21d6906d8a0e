/** The rule that kept or dropped a key, as a sentence with that key's own numbers. */
import type { RowRule } from '../../src/measure/results';
import type { DecidingScore, KeyExplanation, SubCachePlace } from '../../src/page/explain/explain-key';
import { formatCount } from './format';

export function verdictOf({ fate, isMissed }: KeyExplanation): 'kept' | 'missed' | 'dropped' {
  if (isMissed) return 'missed';
  return fate === 'dropped' || fate === 'future' || fate === 'mixed' ? 'dropped' : 'kept';
}

export function ruleOf(why: KeyExplanation): string {
  const { fate, isMissed, rule } = why;
  if (fate === 'future') return 'not seen: it comes after the query';
  if (fate === 'mixed') return 'mixed: with other tokens into rows of the cache, not there as itself';
  if (rule.kind === 'everything') return 'kept: everything is kept';
  if (rule.kind === 'window') {
    const inside = fate === 'dropped' ? 'outside' : 'in';
    return `${fate === 'dropped' ? 'not seen' : 'kept'}: ${inside} the window that the layer sees by itself, whatever the method`;
  }
  return fate === 'dropped'
    ? `${isMissed ? 'missed' : 'dropped'}: ${whyDropped(why)}`
    : `kept: ${whyKept(why)}`;
}

function whyKept({ fate, rule, layer, score, counts, places }: KeyExplanation): string {
  const isBefore = fate !== 'own-block' && fate !== 'since';
  if (rule.kind === 'head' && isBefore && counts.dropped === 0)
    return 'its head is a retrieval head, which keeps every key';
  switch (fate) {
    case 'own-block':
      return 'in the query’s own block';
    case 'since':
      return rule.evictedAt === null
        ? `read after the context, which ends before token ${formatCount(rule.readSince!)}`
        : `read since the eviction before token ${formatCount(rule.evictedAt)}`;
    case 'sink':
      return `one of the first ${formatCount(counts.sink)}`;
    case 'local':
      if (places[0]) return inSubCache(places[0]);
      return rule.partitions
        ? 'its partition is not compressed yet'
        : `one of the last ${formatCount(counts.local)} ${beforeWhat(rule)}`;
    case 'undecided':
      if (rule.unit) return `in no ${rule.unit.name} yet`;
      return whyNothing(rule.kind, layer);
    default:
      if (rule.kind === 'pattern') return `in the pattern; ${rule.pattern}`;
      if (rule.kind === 'neighbour') {
        const where = places[0] ? inSubCache(places[0]) : 'in a sub-cache';
        return `${where}; it came there as they filled, on its turn, or because it scored no less than its neighbour`;
      }
      if (rule.kind === 'lot') return `drawn, one of ${formatCount(counts.selected)}`;
      if (rule.kind === 'file')
        return score ? `the file lists it, and ${whySelected(score)}` : 'the file lists it';
      if (rule.stages && !score) return `in the first stage, among the best by ${rule.stages.score} alone`;
      if (!score) return 'selected';
      return isByUnit(rule) ? whyUnit(rule, score, true) : whySelected(score, secondStage(rule));
  }
}

/** Why a method dropped nothing before a query's block. */
function whyNothing(kind: RowRule['kind'], layer: number): string {
  switch (kind) {
    case 'room':
      return 'the budget has room for all keys';
    case 'dense-layer':
      return `layer ${formatCount(layer)} is dense: the method leaves it out`;
    case 'dense-before':
      return 'read with full attention: the method decides for later queries';
    case 'dense-after':
      return 'read with full attention: the method decides for the prompt’s queries';
    default:
      return 'not yet evicted';
  }
}

const isByUnit = ({ unit, threshold }: RowRule): boolean => unit !== undefined || threshold !== undefined;

function inSubCache({ number, of, every }: SubCachePlace): string {
  return `in sub-cache ${number} of ${of}, which takes ${every === 1 ? 'every token' : `one in ${formatCount(every)} once all are full`}`;
}

/** Where units stay or go: one is as good as its place among all. */
function whyUnit(
  { threshold, unit }: RowRule,
  { value, cut, kept, tied }: DecidingScore,
  isKept: boolean,
): string {
  const its = unit ? `its ${unit.name}` : 'it';
  const not = isKept ? '' : 'not ';
  if (threshold !== undefined) return `${its} ${isKept ? 'scores' : 'does not score'} above the threshold`;
  if (kept === 0) return `no ${unit!.name} stays`;
  if (value === cut && tied !== null)
    return `${its} ${isKept ? 'won' : 'lost'} a tie of ${formatCount(tied)} at the cut, the earlier ${unit!.name} first`;
  return `${its} is ${not}${kept === 1 ? 'the best' : `among the ${formatCount(kept)} best`}`;
}

function whySelected({ value, cut, second, tied, partition }: DecidingScore, score = 'its score'): string {
  const where = partition ? ` of ${nameOf(partition)}` : '';
  if (value !== cut) return `${score} is above the cut${where}`;
  if (tied !== null) return `won a tie of ${formatCount(tied)} at the cut${where}, the lower token first`;
  if (second === null) return `${score} is the lowest that stayed${where}`;
  return second.value === second.cut
    ? `${score} is the cut${where}, and its second score the lowest that stayed`
    : `${score} is the cut${where}, and its second score is above that at the cut`;
}

/** What scores are called that the first stage left to decide. */
function secondStage({ stages }: KeyExplanation['rule']): string | undefined {
  return stages && `in the second stage, ${stages.score} times ${stages.factor}`;
}

function whyDropped({ rule, score, counts, places, lostTo }: KeyExplanation): string {
  if (rule.kind === 'place') {
    return `neither among the first ${formatCount(counts.sink)} nor the last ${formatCount(counts.local)} ${beforeWhat(rule)}`;
  }
  if (rule.kind === 'head') {
    return `its head is a streaming head, which keeps the first ${formatCount(counts.sink)} and the last ${formatCount(counts.local)} ${beforeWhat(rule)}`;
  }
  if (rule.kind === 'pattern') return `outside the pattern; ${rule.pattern}`;
  if (rule.kind === 'neighbour') {
    const beside = places.map(({ key, number }) => `key ${formatCount(key)} in sub-cache ${number}`);
    const stayed = beside.length > 0 ? `; beside it stayed ${beside.join(' and ')}` : '';
    if (lostTo === null) return `it left the last sub-cache${stayed}`;
    const lost =
      lostTo === undefined
        ? 'it scored less than its neighbour when the next sub-cache took none, or left the last one'
        : `when the next sub-cache took none, key ${formatCount(lostTo)}, its neighbour then, had received at least as much attention`;
    return `${lost}${stayed}`;
  }
  if (rule.kind === 'lot') return 'not drawn';
  if (rule.kind === 'file') return `the file does not list it${score ? beyondList(score) : ''}`;
  if (!score) return rule.droppedEarlier ?? 'the method keeps no such key';
  if (isByUnit(rule)) return whyUnit(rule, score, false);
  const { value, cut, second, tied, partition } = score;
  const where = partition ? ` of ${nameOf(partition)}` : '';
  if (rule.stages) {
    const { score: first, factor } = rule.stages;
    const rest = cut === null ? 'has no room' : `goes by that times ${factor}, which is below the cut`;
    if (value !== cut) return `not among the best by ${first}, and the second stage ${rest}`;
  }
  if (cut === null) return `no key${where} stays`;
  if (value !== cut) return `its score is below the cut${where}`;
  if (tied !== null) return `lost a tie of ${formatCount(tied)} at the cut${where}, the lower token first`;
  return second === null
    ? `its score is the cut${where}, and the lower token goes first`
    : `its score is the cut${where}, but its second score is below that at the cut`;
}

/** A file's scores need not be what decided: keys of several heads may have been weighed together. */
function beyondList({ value, cut }: DecidingScore): string {
  if (cut === null) return ', nor any key';
  if (value > cut) return ', though its score is above the lowest that stayed';
  return value < cut ? ', and its score is below the cut' : ', and its score is the cut';
}

function beforeWhat({ evictedAt, readSince }: RowRule): string {
  if (evictedAt !== null) return `before the eviction at token ${formatCount(evictedAt)}`;
  return readSince === undefined
    ? 'before the block'
    : `of the context, before token ${formatCount(readSince)}`;
}

function nameOf({ start, end }: { readonly start: number; readonly end: number }): string {
  return `its partition, tokens ${formatCount(start)} to ${formatCount(end - 1)}`;
}
