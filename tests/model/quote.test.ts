import { expect, test } from 'vitest';
import { quote } from '../../src/base/quote';

test.each([
  ['model', '"model"'],
  ['a"b\\', '"a\\"b\\\\"'],
  ['x\u202ey', '"x\\u{202e}y"'],
  ['\u2066x\u2069', '"\\u{2066}x\\u{2069}"'],
  ['\u200b\ufeff', '"\\u{200b}\\u{feff}"'],
  ['\u0007\u001b[31m', '"\\u0007\\u001b[31m"'],
  ['\u0085\u2028', '"\\u{85}\\u{2028}"'],
  ['\ud800', '"\\ud800"'],
  ['né 字 🙂', '"né 字 🙂"'],
])('%j is quoted as what it is', (text, quoted) => {
  expect(quote(text)).toBe(quoted);
  expect(quote(text)).not.toMatch(/[\p{C}\u2028\u2029]/u);
});

test('a long name does not fill the page', () => {
  expect(quote('x'.repeat(200_000))).toHaveLength(83);
});
