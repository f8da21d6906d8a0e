import type { TaskKind } from './task';
import { pickNames, pickNumbers } from './words';

/** Four facts, all four asked for, in an order that is not the order of the text. */
export const fourNeedles: TaskKind = {
  id: 'four-needles',
  title: 'Four needles',
  description: 'Four secret numbers are hidden in the text and all four are asked for, in another order.',
  smallestTokens: 256,
  draft(random) {
    const names = pickNames(random, 4);
    const values = pickNumbers(random, 4, 5);
    const asked = random.shuffled([0, 1, 2, 3]);
    return {
      needles: names.map((label, index) => ({
        sentence: `The secret number of the ${label} is ${values[index]}.`,
        label,
        value: values[index]!,
        asked: true,
      })),
      question: `What are the secret numbers of the ${asked.map((index) => names[index]).join(', the ')}?`,
      answer: asked.map((index) => values[index]!),
    };
  },
};
