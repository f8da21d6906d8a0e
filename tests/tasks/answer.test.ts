import { expect, it } from 'vitest';
import { isAnswerRight, parseAnswer } from '../../src/tasks/index';

it.each([
  [' 12345.', ['12345']],
  [' 1, 22, 333. And 4 more', ['1', '22', '333']],
  [' 00120', ['00120']],
  [' 7\n8', ['7']],
  ['', []],
  ['. 5', []],
])('reads %j as %j', (text, numbers) => {
  expect(parseAnswer(text)).toEqual(numbers);
});

it.each([
  [' 12345, 67890.', true],
  ['12345 and 67890', true],
  [' 12345, 67890. The end 3.', true],
  [' 67890, 12345.', false],
  [' 12345.', false],
  [' 12345, 67890, 1.', false],
  [' 12345, 67891.', false],
  [' 1234567890.', false],
  ['', false],
])('judges %j: %s', (generated, right) => {
  expect(isAnswerRight(generated, { answerText: ' 12345, 67890.' })).toBe(right);
});
