import { expect, it } from 'vitest';
import { elementOf } from '../../src/cli/files';

it('gives elements of an array as they are written', () => {
  const elements = ['1e999', '-1.0', '"a, ] \\" b"', '[1, [2, 3]]', '{"a": [1, 2], "b": ","}', 'null', '""'];
  const json = `\n[ ${elements.join(' ,\n')} ]\n`;
  expect(JSON.parse(json)).toHaveLength(elements.length);
  for (const [index, element] of elements.entries()) expect(elementOf(json, index)).toBe(element);
  expect(() => elementOf(json, elements.length)).toThrow(RangeError);
});
