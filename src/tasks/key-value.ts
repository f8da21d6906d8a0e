import type { TaskKind } from './task';
import { pickNumbers } from './words';

/** Tokens that one pair and the prose around it take, about; sets how many pairs a short text can hold. */
const TOKENS_PER_PAIR = 40;
const MOST_PAIRS = 24;

/** Many pairs of six-digit keys and values; one key is asked for. Keys differ in digits only, so all of it counts. */
export const keyValue: TaskKind = {
  id: 'key-value',
  title: 'Key-value lookup',
  description:
    'Up to 24 pairs of six-digit keys and values stand in the text; the value of one key is asked for.',
  smallestTokens: 160,
  draft(random, tokens) {
    const most = Math.min(MOST_PAIRS, Math.floor((tokens - 40) / TOKENS_PER_PAIR));
    const pairs = random.between(Math.min(8, most), most);
    const keys = pickNumbers(random, pairs, 6);
    const values = pickNumbers(random, pairs, 6);
    const asked = random.below(pairs);
    return {
      needles: keys.map((key, index) => ({
        sentence: `Entry ${key} holds ${values[index]}.`,
        label: key,
        value: values[index]!,
        asked: index === asked,
      })),
      question: `What does entry ${keys[asked]} hold?`,
      answer: [values[asked]!],
    };
  },
};
