import type { Random } from './random';

/** Adjectives and nouns that name the things of the needles; common words, so that they stay short in tokens. */
const adjectives = (
  'red blue green black white grey golden silver brown pale dark bright old new little great long ' +
  'round heavy broken painted quiet wild warm cold sweet bitter plain strange noble'
).split(' ');

const nouns = (
  'lamp ship tower bridge mirror garden window table chair clock candle bottle basket carriage horse ' +
  'bird fish bear wolf fox tree rose stone ring coin crown sword drum bell book letter picture box ' +
  'chest door key gate boat cart coat hat glove purse cup plate spoon'
).split(' ');

/** `count` names such as "silver lamp" that share no word, so that either word tells them apart. */
export function pickNames(random: Random, count: number): string[] {
  const first = random.shuffled(adjectives).slice(0, count);
  const second = random.shuffled(nouns).slice(0, count);
  return first.map((adjective, index) => `${adjective} ${second[index]}`);
}

/** `count` different strings of `digits` decimal digits. Digits alone: the tokenizer makes each its own token. */
export function pickNumbers(random: Random, count: number, digits: number): string[] {
  const numbers = new Set<string>();
  while (numbers.size < count) {
    numbers.add(Array.from({ length: digits }, () => random.below(10)).join(''));
  }
  return [...numbers];
}
