import { patternOf } from './pattern';
import {
  damaged,
  isSettings,
  partsOf,
  refuse,
  type Settings,
  SPACE_CLASS,
  textOf,
  truthOf,
  typeName,
  WORD_CLASS,
} from './settings';
import { byteLevelText } from './token-bytes';

/**
 * Cuts a stretch of text into the pieces that the model then makes tokens of. `isStart`: the stretch is the beginning of the
 * whole text.
 */
export type PreTokenizer = (text: string, isStart: boolean) => string[];

/** A part of a text, and whether the pattern matched it. */
interface Part {
  readonly text: string;
  readonly isMatch: boolean;
}

const behaviors = ['Removed', 'Isolated', 'MergedWithPrevious', 'MergedWithNext', 'Contiguous'] as const;
type Behavior = (typeof behaviors)[number];

const PUNCTUATION = /[\p{P}$+<=>^`|~]/gu;
const whiteSpace = new RegExp(SPACE_CLASS, 'gu');
const words = new RegExp(`[${WORD_CLASS}]+|[^${WORD_CLASS}${SPACE_CLASS}]+`, 'gu');
/** GPT-2's (openai/gpt-2, encoder.py), with the reference's white space. */
const gpt2Words = new RegExp(
  `'s|'t|'re|'ve|'m|'ll|'d| ?\\p{L}+| ?\\p{N}+| ?[^${SPACE_CLASS}\\p{L}\\p{N}]+|${SPACE_CLASS}+(?!\\P{White_Space})|${SPACE_CLASS}+`,
  'gu',
);

/** The pre-tokenizer of tokenizer.json as Python's `tokenizers` has it. UserError for one that is not known. */
export function makePreTokenizer(part: unknown): PreTokenizer {
  if (part === null || part === undefined) return (text) => [text];
  if (!isSettings(part)) return refuse(`a pre-tokenizer ${typeName(part)}`);
  switch (part.type) {
    case 'Sequence':
      return sequence(partsOf(part, 'pretokenizers').map(makePreTokenizer));
    case 'ByteLevel':
      return byteLevel(part);
    case 'Metaspace':
      return metaspace(part);
    case 'Split': {
      const pattern = patternOf(part);
      const isInverted = truthOf(part, 'invert', false);
      const behavior = behaviorOf(part);
      return (text) => joined(partsAt(text, pattern, isInverted), behavior);
    }
    case 'Punctuation': {
      const behavior = behaviorOf(part, 'Isolated');
      return (text) => joined(partsAt(text, PUNCTUATION), behavior);
    }
    case 'Digits': {
      const behavior = truthOf(part, 'individual_digits', false) ? 'Isolated' : 'Contiguous';
      return (text) => joined(partsAt(text, /\p{N}/gu), behavior);
    }
    case 'Whitespace':
      return (text) => joined(partsAt(text, words, true), 'Removed');
    case 'WhitespaceSplit':
      return splitAtSpaces;
    case 'BertPreTokenizer':
      return (text) => splitAtSpaces(text).flatMap((word) => joined(partsAt(word, PUNCTUATION), 'Isolated'));
    case 'CharDelimiterSplit': {
      const pattern = patternOf({ ...part, pattern: { String: textOf(part, 'delimiter') } });
      return (text) => joined(partsAt(text, pattern), 'Removed');
    }
    case 'FixedLength':
      return fixedLength(part);
    default:
      return refuse(`a pre-tokenizer ${typeName(part)}`);
  }
}

function sequence(steps: readonly PreTokenizer[]): PreTokenizer {
  return (text, isStart) =>
    steps.reduce((pieces, step) => pieces.flatMap((piece, at) => step(piece, isStart && at === 0)), [text]);
}

function splitAtSpaces(text: string): string[] {
  return joined(partsAt(text, whiteSpace), 'Removed');
}

function byteLevel(settings: Settings): PreTokenizer {
  const addsSpace = truthOf(settings, 'add_prefix_space', true);
  const splits = truthOf(settings, 'use_regex', true);
  return (text) => {
    const spaced = addsSpace && !text.startsWith(' ') ? ` ${text}` : text;
    return (splits ? joined(partsAt(spaced, gpt2Words), 'Isolated') : [spaced]).map(byteLevelText);
  };
}

function metaspace(settings: Settings): PreTokenizer {
  const mark = textOf(settings, 'replacement', '▁');
  if ([...mark].length !== 1) return damaged('replacement of "Metaspace" must be one character');
  const scheme = settings.add_prefix_space === false ? 'never' : (settings.prepend_scheme ?? 'always');
  if (scheme !== 'always' && scheme !== 'first' && scheme !== 'never')
    return refuse('an unknown prepend_scheme of "Metaspace"');
  const splits = truthOf(settings, 'split', true);
  const pattern = patternOf({ pattern: { String: mark } });
  return (text, isStart) => {
    const marked = text.replaceAll(' ', mark);
    const prepends = !marked.startsWith(mark) && (scheme === 'always' || (scheme === 'first' && isStart));
    const whole = prepends ? mark + marked : marked;
    return splits ? joined(partsAt(whole, pattern), 'MergedWithNext') : [whole];
  };
}

function fixedLength(settings: Settings): PreTokenizer {
  const length = settings.length ?? 5;
  if (typeof length !== 'number' || !Number.isInteger(length) || length < 1)
    return damaged('length of "FixedLength" must be a whole number from 1');
  return (text) => {
    const characters = Array.from(text);
    const pieces: string[] = [];
    for (let at = 0; at < characters.length; at += length)
      pieces.push(characters.slice(at, at + length).join(''));
    return pieces;
  };
}

function behaviorOf(settings: Settings, usual?: Behavior): Behavior {
  const named = textOf(settings, 'behavior', usual).replaceAll('_', '').toLowerCase();
  const found = behaviors.find((behavior) => behavior.toLowerCase() === named);
  return found ?? refuse(`an unknown behavior of ${typeName(settings)}`);
}

/** What the pattern matches and what lies between, in order; `isInverted` turns the one into the other. */
function partsAt(text: string, pattern: RegExp, isInverted = false): Part[] {
  const parts: Part[] = [];
  let end = 0;
  for (const match of text.matchAll(pattern)) {
    if (match.index > end) parts.push({ text: text.slice(end, match.index), isMatch: isInverted });
    parts.push({ text: match[0], isMatch: !isInverted });
    end = match.index + match[0].length;
  }
  if (end < text.length) parts.push({ text: text.slice(end), isMatch: isInverted });
  return parts;
}

/** What a behavior makes of matches and what lies between (tokenizers, normalizer.rs, SplitDelimiterBehavior). */
function joined(parts: readonly Part[], behavior: Behavior): string[] {
  const pieces: string[] = [];
  let wasMatch = false;
  const appendTo = (piece: string, joins: boolean, isNext = false): void => {
    const last = pieces.length - 1;
    if (joins && last >= 0) pieces[last] = isNext ? piece + pieces[last] : pieces[last] + piece;
    else pieces.push(piece);
  };
  switch (behavior) {
    case 'Removed':
      for (const { text, isMatch } of parts) if (!isMatch) pieces.push(text);
      break;
    case 'Isolated':
      for (const { text } of parts) pieces.push(text);
      break;
    case 'Contiguous':
      for (const { text, isMatch } of parts) {
        appendTo(text, isMatch === wasMatch);
        wasMatch = isMatch;
      }
      break;
    case 'MergedWithPrevious':
      for (const { text, isMatch } of parts) {
        appendTo(text, isMatch && !wasMatch);
        wasMatch = isMatch;
      }
      break;
    case 'MergedWithNext':
      for (const { text, isMatch } of parts.toReversed()) {
        appendTo(text, isMatch && !wasMatch, true);
        wasMatch = isMatch;
      }
      pieces.reverse();
  }
  return pieces.filter((piece) => piece !== '');
}
