import type { Random } from './random';
import type { TaskTokenizer } from './task';

/**
 * A sentence ends at . ! or ? (with closing quotes) before a space and a capital letter or an opening quote.
 * Good enough for prose: a cut after "Mr." only means a needle may stand there.
 */
const SENTENCE_END = /(?<=[.!?]["'”’)]*) (?=["'“‘(]?\p{Lu})/u;

/** Sentences longer than this (in characters) are left out: they would leave no room to weave. */
const LONGEST_SENTENCE = 600;

/** How many sentences ahead are tried to fill what is left when the next one is too long. */
const LOOK_AHEAD = 64;

const sentencesOf = new WeakMap<readonly string[], string[]>();
const countsOf = new WeakMap<TaskTokenizer['encode'], WeakMap<readonly string[], Int32Array>>();

/** All sentences of the hay in order, white space made single spaces. Remembered per array. */
export function haySentences(hay: readonly string[]): string[] {
  let sentences = sentencesOf.get(hay);
  if (!sentences) {
    sentences = hay
      .flatMap((prose) => prose.replace(/\s+/g, ' ').trim().split(SENTENCE_END))
      .filter((sentence) => sentence.length > 0 && sentence.length <= LONGEST_SENTENCE);
    sentencesOf.set(hay, sentences);
  }
  return sentences;
}

/** Token counts of ' ' + sentence, 0 where not counted yet: hay can be whole books of which little is used. */
function countCache(hay: readonly string[], { encode }: TaskTokenizer, length: number): Int32Array {
  let perHay = countsOf.get(encode);
  if (!perHay) {
    perHay = new WeakMap();
    countsOf.set(encode, perHay);
  }
  let counts = perHay.get(hay);
  if (!counts) {
    counts = new Int32Array(length);
    perHay.set(hay, counts);
  }
  return counts;
}

export interface Filling {
  sentences: string[];
  /** Tokens of ' ' + sentence (the first one of a text has no space; the caller leaves a token for that). */
  tokenCounts: number[];
}

/**
 * Whole sentences from a seeded starting point, as many as fit in `room` tokens. Consecutive while they fit; the
 * rest is filled with the longest sentences that still fit among the next few.
 */
export function fillWithHay(
  hay: readonly string[],
  room: number,
  random: Random,
  tokenizer: TaskTokenizer,
): Filling {
  const all = haySentences(hay);
  const counts = countCache(hay, tokenizer, all.length);
  const count = (index: number): number => {
    if (counts[index] === 0) counts[index] = tokenizer.encode(` ${all[index]}`).length;
    return counts[index]!;
  };

  const filling: Filling = { sentences: [], tokenCounts: [] };
  let left = room;
  let next = random.below(all.length);
  const take = (index: number) => {
    filling.sentences.push(all[index]!);
    filling.tokenCounts.push(count(index));
    left -= count(index);
    next = (index + 1) % all.length;
  };

  while (left > 0) {
    let best = -1;
    for (let ahead = 0; ahead < Math.min(LOOK_AHEAD, all.length); ahead++) {
      const index = (next + ahead) % all.length;
      if (count(index) > left) continue;
      if (ahead === 0) {
        best = index;
        break;
      }
      if (best < 0 || count(index) > count(best)) best = index;
    }
    if (best < 0) break;
    take(best);
  }
  return filling;
}
