import { generateTask, type TaskId, type TaskTokenizer, taskList } from '../../src/tasks/index';
import { createRandom, type Random } from '../../src/tasks/random';

/** What a token of a row counts for in the loss. */
const kinds = { ignored: 0, prose: 1, answer: 2 };

/** Seeds below this are for evaluation and never trained on. */
const FIRST_TRAINING_SEED = 1_000_000;

const END_OF_SEQUENCE = 1;
const VOCABULARY = 2048;

/** How often each task comes, relative to the others. */
const shares: Record<TaskId, number> = { 'single-needle': 3, 'four-needles': 4, 'key-value': 3, stars: 2 };

/** Rows of at most this length also practise plain copying, out of which retrieval grows. */
const LONGEST_COPYING_ROW = 256;

/**
 * A function that makes one row after the other: `length + 1` ids (uint16) and their kinds (uint8) in one byte array. A
 * row holds one task of its whole length (60 %) or several shorter ones, each from beginning to end of sequence.
 */
export function createRowMaker(
  hay: readonly string[],
  tokenizer: TaskTokenizer,
  length: number,
  seed: number,
): () => Uint8Array {
  const random = createRandom(seed);
  const rowTokens = length + 1;

  return () => {
    const ids = new Uint16Array(rowTokens).fill(END_OF_SEQUENCE);
    const kind = new Uint8Array(rowTokens);
    let filled = 0;
    const append = (document: readonly number[], answerStart: number) => {
      ids.set(document, filled);
      kind.fill(kinds.prose, filled, filled + answerStart);
      kind.fill(kinds.answer, filled + answerStart, filled + document.length);
      filled += document.length;
    };

    if (length <= LONGEST_COPYING_ROW && random.next() < 0.4) {
      const copy = copyingDocument(random, hay, tokenizer, rowTokens);
      append(copy.ids, copy.answerStart);
    } else {
      const whole = random.next() < 0.6;
      for (;;) {
        const left = rowTokens - filled - 1;
        const possible = taskList.filter((task) => task.smallestTokens <= left);
        if (possible.length === 0) break;
        const task = pickByShare(
          random,
          possible.map((candidate) => candidate.id),
        );
        const { smallestTokens } = possible.find((candidate) => candidate.id === task)!;
        const tokens = whole || left < 2 * smallestTokens ? left : random.between(smallestTokens, left);
        const instance = generateTask({
          task,
          tokens,
          seed: FIRST_TRAINING_SEED + random.below(2 ** 32 - FIRST_TRAINING_SEED),
          depth: random.next() < 0.7 ? 'spread' : random.next(),
          hay,
          tokenizer,
        });
        append([...instance.ids, END_OF_SEQUENCE], instance.answerStart);
      }
    }
    const row = new Uint8Array(3 * rowTokens);
    row.set(new Uint8Array(ids.buffer));
    row.set(kind, 2 * rowTokens);
    return row;
  };
}

function pickByShare(random: Random, candidates: readonly TaskId[]): TaskId {
  const total = candidates.reduce((sum, task) => sum + shares[task], 0);
  let left = random.next() * total;
  for (const task of candidates) {
    left -= shares[task];
    if (left < 0) return task;
  }
  return candidates[candidates.length - 1]!;
}

/** Prose, then 8 to 60 tokens (prose or random), some prose, and the same tokens again: all but the first can be known. */
function copyingDocument(
  random: Random,
  hay: readonly string[],
  tokenizer: TaskTokenizer,
  rowTokens: number,
): { ids: number[]; answerStart: number } {
  const copied = random.between(8, 60);
  const between = random.between(1, 40);
  const before = random.between(1, rowTokens - 1 - 2 * copied - between);
  const prose = (tokens: number): number[] => {
    const book = random.pick(hay);
    const start = random.below(book.length - tokens * 12);
    return tokenizer.encode(book.slice(start, start + tokens * 12)).slice(0, tokens);
  };
  const passage =
    random.next() < 0.5
      ? prose(copied)
      : Array.from({ length: copied }, () => random.between(2, VOCABULARY - 1));
  const prefix = [...tokenizer.startIds, ...prose(before), ...passage, ...prose(between)];
  return { ids: [...prefix, ...passage], answerStart: prefix.length + 1 };
}
