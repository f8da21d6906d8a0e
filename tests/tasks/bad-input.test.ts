import { expect, it } from 'vitest';
import { UserError } from '../../src/base/user-error';
import { generateTask, type TaskId, type TaskRequest, taskList } from '../../src/tasks/index';
import { hay, taskTokenizer as tokenizer } from './hay';

const good: TaskRequest = { task: 'stars', tokens: 512, seed: 1, depth: 'spread', hay, tokenizer };

const bad: [string, Partial<TaskRequest>, RegExp][] = [
  [
    'an unknown task',
    { task: 'no-such-task' as TaskId },
    /no task "no-such-task"; choose one of single-needle,/,
  ],
  ['a length that is no whole number', { tokens: 512.5 }, /512.5 tokens/],
  ['no length', { tokens: Number.NaN }, /at least 192/],
  ['a depth below 0', { depth: -0.1 }, /depth -0.1 is not between 0 and 1/],
  ['a depth above 1', { depth: 1.5 }, /depth 1.5/],
  ['a depth that is no number', { depth: Number.NaN }, /depth NaN/],
  ['a seed that is no whole number', { seed: 0.5 }, /seed 0.5/],
  ['no hay', { hay: [] }, /no prose/],
  ['blank hay', { hay: [' \n\t'] }, /no prose/],
  [
    'hay that does not fit',
    { hay: [`A ${'very '.repeat(110)}long day.`], tokens: 192 },
    /sentences of your text are long/,
  ],
];

it.each(bad)('refuses %s with one sentence', (_, change, message) => {
  const attempt = () => generateTask({ ...good, ...change });
  expect(attempt).toThrow(UserError);
  expect(attempt).toThrow(message);
});

it.each(taskList)('refuses $id below its smallest length and says that length', ({ id, smallestTokens }) => {
  const attempt = () => generateTask({ ...good, task: id, tokens: smallestTokens - 1 });
  expect(attempt).toThrow(UserError);
  expect(attempt).toThrow(`at least ${smallestTokens}`);
});
