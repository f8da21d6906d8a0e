import type { TaskKind } from './task';

/** The same sentence several times with another count each; all counts are asked for, in the order of the text. */
export const stars: TaskKind = {
  id: 'stars',
  title: 'Counting stars',
  description: 'A sailor counts stars three to six times in the text; every count is asked for, in order.',
  smallestTokens: 192,
  draft(random) {
    const times = random.between(3, 6);
    const counts = new Set<string>();
    while (counts.size < times) counts.add(String(random.between(10, 99)));
    return {
      needles: [...counts].map((value, index) => ({
        sentence: `The old sailor counted ${value} stars.`,
        label: `count ${index + 1}`,
        value,
        asked: true,
      })),
      question: 'How many stars did the old sailor count each time?',
      answer: null,
    };
  },
};
