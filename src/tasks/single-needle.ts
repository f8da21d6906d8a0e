import type { TaskKind } from './task';
import { pickNames, pickNumbers } from './words';

/** One fact asked for, up to three of the same form beside it, so that the form alone does not give it away. */
export const singleNeedle: TaskKind = {
  id: 'single-needle',
  title: 'Single needle',
  description:
    'One secret number is hidden in the text and asked for at the end; up to three others distract.',
  smallestTokens: 128,
  draft(random, tokens) {
    const distractors = tokens < 256 ? 0 : random.below(4);
    const names = pickNames(random, 1 + distractors);
    const values = pickNumbers(random, names.length, 5);
    return {
      needles: names.map((label, index) => ({
        sentence: `The secret number of the ${label} is ${values[index]}.`,
        label,
        value: values[index]!,
        asked: index === 0,
      })),
      question: `What is the secret number of the ${names[0]}?`,
      answer: [values[0]!],
    };
  },
};
