/** What is folded where, by hand; and that queries after the eviction attend to it. */
import { describe, expect, it } from 'vitest';
import { createCpuOps } from '../../gpu/cpu';
import { headMajorRows } from '../../gpu/rows';
import { UserError } from '../../src/base/user-error';
import { readKept } from '../../src/measure/selection-reader';
import { contextOf, startTraceRun } from '../../src/measure/trace-run';
import { merging } from '../../src/methods/merging';
import { folded } from '../../src/methods/merging/fold';
import { foldedValues } from '../../src/methods/merging/run';
import { resolveParameters } from '../../src/methods/parameters';
import { attendSelection } from '../../src/model/decoder/attend';
import { expectClose } from './agreement';
import { randomLayers, recordText } from './recorded';

describe('the values of dropped tokens', () => {
  // Tokens 1 and 4 stay; 0 and 2 are nearest to the first of them, 3 and 5 to the second.
  const head = {
    kept: Uint32Array.of(1, 4),
    nearest: Uint32Array.of(0, 0, 0, 1, 1, 1),
    cosines: Float32Array.of(0.5, 1, 1, -0.25, 1, 0.75),
    values: Float32Array.of(0, 2, 2, 0, 0, 2, 9, 9, 0, 3, 1, 0),
  };
  it('go into those of their survivors, by cosine and length', () => {
    // Weights 0.5·½ and 1·½ for tokens 0 and 2, none below zero, 0.75·¼ for token 5.
    const wanted = [2 / 1.75, (0.25 * 2 + 0.5 * 2) / 1.75, 0.1875 / 1.1875, 3 / 1.1875];
    expectClose(folded(head, { similarity: 0, mergeFraction: 1 }), wanted);
  });

  it('only of those that are similar enough, and of the best of all', () => {
    const second = [0.1875 / 1.1875, 3 / 1.1875];
    const alone = [2 / 1.5, (0.5 * 2) / 1.5];
    expectClose(folded(head, { similarity: 0.6, mergeFraction: 1 }), [...alone, ...second]);
    // Cosines −0.25, 0.5, 0.75, 1 of the dropped: the median is 0.625; with the first as infinite it is 0.875.
    expectClose(folded(head, { similarity: 0, mergeFraction: 0.5 }), [...alone, 0, 3]);
    expectClose(folded(head, { similarity: 1, mergeFraction: 0.5 }), [2, 0, 0, 3]);
  });
});

describe('a run', () => {
  const shape = { tokens: 30, queryHeads: 4, keyValueHeads: 2, headDimension: 4 };
  const text = recordText(createCpuOps(), shape, randomLayers(shape, 2, 3));
  const parameters = resolveParameters(merging, { windowTokens: 3, keepFraction: 0.4 }, contextOf(text));

  it('attends to merged values before the eviction and to others after it, and holds nothing once it is over', async () => {
    const { ops, scores, layerTraces } = text;
    const before = ops.memory().bytes;
    const started = await startTraceRun(text, merging, parameters, 20);
    for (const recorded of layerTraces) {
      const input = started.inputOf(recorded, { start: 20, end: 30 });
      const selection = started.run.select(input);
      const { sets } = await readKept(ops, selection);
      expect(sets.map(({ length }) => length)).toEqual([8, 8]);
      const atEviction = started.inputOf(recorded, { start: 20, end: 20 });
      const values = await foldedValues(ops, atEviction, selection.list!, {
        similarity: 0,
        mergeFraction: 1,
      });
      // The model's values with merged ones in the survivors' places.
      const all = await ops.readFloats(recorded.value.buffer);
      for (const [set, kept] of sets.entries())
        for (const [place, token] of kept.entries())
          all.set(values.subarray((set * 8 + place) * 4, (set * 8 + place + 1) * 4), (set * 30 + token) * 4);
      const value = headMajorRows(ops.upload(all, 'values'), 2, 30, 4);
      const rows = () => headMajorRows(ops.allocate('f32', 4 * 10 * 4, 'outputs'), 4, 10, 4);
      const lambda = () => ({ buffer: ops.allocate('f32', 40, 'log-sum-exp'), offset: 0, headStride: 10 });
      const [wanted, wantedLambda, given, givenLambda] = [rows(), lambda(), rows(), lambda()];
      const { block, query, key } = input;
      attendSelection(ops, { block, query, key, value }, selection, scores, wanted, wantedLambda);
      started.run.attend!(input, selection, given, givenLambda);
      expectClose(await ops.readFloats(given.buffer), await ops.readFloats(wanted.buffer));
      expectClose(await ops.readFloats(givenLambda.buffer), await ops.readFloats(wantedLambda.buffer));
      const made = [value, wanted, wantedLambda, given, givenLambda].map(({ buffer }) => buffer);
      ops.release(...made, ...selection.owned);
    }
    started.dispose();
    expect(ops.memory().bytes).toBe(before);
  });

  it('is refused where no text was read, and where scores are not finite', async () => {
    const started = await startTraceRun(text, merging, parameters, 20);
    await expect(started.run.prepare!(null)).rejects.toThrow(UserError);
    started.dispose();
    const layers = randomLayers(shape, 2, 3);
    layers[1]!.query.fill(Number.NaN);
    const broken = recordText(createCpuOps(), shape, layers);
    await expect(startTraceRun(broken, merging, parameters, 20)).rejects.toThrow(
      /merging: in layer 1 the scores of keys are not finite/,
    );
  });
});
