import { describe, expect, test } from 'vitest';
import { createCpuOps } from '../../gpu/cpu';
import { AnswerSelections } from '../../src/engine/answer-selections';
import { keptDigits, needleDigits, tokensOfValue } from '../../src/engine/needle-digits';
import type { Selection } from '../../src/methods/method';
import type { NeedleFacts } from '../../src/study/facts';

const needle = (start: number, end: number, value: string, asked = true): NeedleFacts => ({
  ...{ start, end, value, asked },
  label: value,
});

/** Where the digits of needles stand in a text cut into these tokens. */
function digitsIn(texts: readonly string[], needles: readonly NeedleFacts[], answerStart: number) {
  const facts = { needles, answerStart, tokens: texts.length };
  return needleDigits(facts, (start, end) => texts.slice(start, end));
}

describe('digits of needles', () => {
  test('are found one by one where every digit is a token', () => {
    const texts = ['<s>', 'It', ' is', ' ', '4', '8', '.', ' Answer:', ' ', '4', '8', '.'];
    expect(digitsIn(texts, [needle(1, 7, '48')], 8)).toEqual([
      [
        { token: 4, query: 8 },
        { token: 5, query: 9 },
      ],
    ]);
  });

  test('are found where needle and answer are cut differently', () => {
    const texts = ['It', ' is 4', '82', '1.', ' Answer:', ' 48', '21', '.'];
    expect(digitsIn(texts, [needle(0, 4, '4821')], 5)).toEqual([
      [
        { token: 1, query: 4 },
        { token: 2, query: 4 },
        { token: 2, query: 5 },
        { token: 3, query: 5 },
      ],
    ]);
  });

  test('belong to whole numbers, to one needle each, in whatever order the answer has them', () => {
    const texts = ['7', '.', ' 17', '.', ' 7', '.', ' A:', ' 17', ', 7', ', 7', '.'];
    const needles = [needle(0, 2, '7'), needle(2, 4, '17'), needle(4, 6, '7')];
    expect(digitsIn(texts, needles, 7)).toEqual([
      [{ token: 0, query: 7 }],
      [
        { token: 2, query: 6 },
        { token: 2, query: 6 },
      ],
      [{ token: 4, query: 8 }],
    ]);
  });

  test('are none where the tokens do not spell the value, and of needles that nobody asks for', () => {
    expect(digitsIn(['4', '\ufffd', '.', ' A:', ' 48.'], [needle(0, 3, '48')], 4)).toEqual([[]]);
    expect(digitsIn(['48', '.', ' A:', ' 49.'], [needle(0, 2, '48')], 3)).toEqual([[]]);
    expect(digitsIn(['48', '.', ' A:', ' 48.'], [needle(0, 2, '48', false)], 3)).toEqual([]);
    expect(tokensOfValue(['', 'a1', '', '23'], 10, '123')).toEqual([11, 13, 13]);
  });
});

describe('selections of an answer', () => {
  const ops = createCpuOps();
  const nothing = { candidates: { start: 0, end: 0 }, score: null, tiedAtCut: null };

  /** A selection that lists these tokens, per set; its own, or of a list that stays. */
  function selecting(sets: readonly number[][], rangeStart: number, isOwned = true): Selection {
    const count = sets[0]!.length;
    const buffer = ops.upload(Uint32Array.from(sets.flat()), 'kept keys');
    const list = { buffer, offset: 0, sets: sets.length, count, rowStride: count };
    return { ...nothing, list, rangeStart, owned: isOwned ? [buffer] : [] };
  }

  test('say by query, layer and head what was seen, and give their lists back', async () => {
    const before = ops.memory().bytes;
    const selections = new AnswerSelections(ops, 20, 4);
    selections.note(1, selecting([[0, 9]], 15));
    const groups = [
      [3, 8],
      [4, 9],
    ];
    selections.note(0, selecting(groups, 16));
    await selections.read();
    selections.note(0, { ...nothing, list: null, rangeStart: 18, owned: [] });
    selections.note(1, selecting([[0, 10]], 15));
    await selections.read();
    expect(ops.memory().bytes).toBe(before);
    expect(selections.queries).toBe(2);
    const seen = (query: number, layer: number, head: number) =>
      Array.from({ length: 23 }, (_, token) => token).filter((token) =>
        selections.sees(query, layer, head, token),
      );
    expect(seen(20, 0, 1)).toEqual([3, 8, 16, 17, 18, 19, 20]);
    expect(seen(20, 0, 2)).toEqual([4, 9, 16, 17, 18, 19, 20]);
    expect(seen(20, 1, 3)).toEqual([0, 9, 15, 16, 17, 18, 19, 20]);
    expect(seen(21, 0, 0)).toEqual([18, 19, 20, 21]);
    expect(seen(21, 1, 0)).toEqual([0, 10, 15, 16, 17, 18, 19, 20, 21]);

    const digits = [
      [
        { token: 9, query: 20 },
        { token: 9, query: 21 },
        { token: 9, query: 22 },
      ],
    ];
    expect(keptDigits(digits, selections, { layers: 2, queryHeads: 4 }), 'query 22 wrote nothing').toEqual([
      {
        digits: 2,
        kept: [
          [0, 0, 1, 1],
          [1, 1, 1, 1],
        ],
      },
    ]);
  });

  test('read a list that stays once, until it is longer', async () => {
    const reads: number[] = [];
    const counting = {
      ...ops,
      readIntegers: (...[buffer, offset, length]: Parameters<typeof ops.readIntegers>) => {
        reads.push(length!);
        return ops.readIntegers(buffer, offset, length);
      },
    };
    const selections = new AnswerSelections(counting, 5, 1);
    const staying = selecting([[0, 2, 3]], 5, false);
    const shorter: Selection = { ...staying, list: { ...staying.list!, count: 2 } };
    for (const selection of [shorter, shorter, staying, staying]) {
      selections.note(0, selection);
      await selections.read();
    }
    expect(reads).toEqual([2, 3]);
    const sees3 = [5, 6, 7, 8].map((query) => selections.sees(query, 0, 0, 3));
    expect(sees3).toEqual([false, false, true, true]);
    expect(selections.sees(8, 0, 0, 1)).toBe(false);
    ops.release(staying.list!.buffer);
  });
});
