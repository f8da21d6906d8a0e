import { expect, it } from 'vitest';
import { createCpuOps } from '../../gpu/cpu';
import type { Ops } from '../../gpu/ops';
import { createWebGpuOps } from '../../gpu/webgpu';
import { explainRow } from '../../src/measure/explain-row';
import { contextOf } from '../../src/measure/trace-run';
import { esa } from '../../src/methods/esa';
import { resolveParameters } from '../../src/methods/parameters';
import { forward } from '../../src/model/decoder/forward';
import { attentionOfTiles } from '../../src/tiles/attention';
import { FirstWeights } from '../../src/tiles/factors';
import { linesOf } from '../../src/tiles/grid';
import { OwnPositions } from '../../src/tiles/own-positions';
import type { PooledLines, TileWork } from '../../src/tiles/requests';
import { traceOfSession } from '../../src/trace/from-decoder';
import { someIds, tinyDecoder } from '../engine/tiny-model';
import { describeWebGpu } from '../webgpu-node';

const TOKENS = 150;
const { signal } = new AbortController();

function work(level: number, row: number, column: number): TileWork {
  const place = { level, row, column };
  return { layer: 1, head: 3, ...place, lineStart: 0, lineEnd: linesOf(place, TOKENS), rowStep: 1 };
}
const pieces = [work(0, 0, 0), work(0, 1, 0), work(2, 0, 0), work(4, 0, 0)];

/** Tiles and a row of one head, under the model's positions and under ESA's own. */
async function picturesOf(ops: Ops) {
  const decoder = await tinyDecoder(ops);
  const { reader } = await forward(decoder, someIds(TOKENS));
  const text = traceOfSession(decoder, reader, { tokens: TOKENS, calibration: null, answerStart: 146 });
  const given = { projection: 'exact', chunkTokens: 20, localTokens: 27, initTokens: 3, selectedTokens: 9 };
  const parameters = resolveParameters(esa, given, contextOf(text));
  const own = new OwnPositions(text, esa, parameters, 130);
  const row = { text, method: esa, parameters, layer: 1, head: 3, query: 141, evictAt: 130 } as const;
  return {
    model: (await attentionOfTiles(text, pieces, signal, new FirstWeights(text))).lines,
    own: (await own.attention(pieces, signal)).lines,
    modelRow: await explainRow(row),
    ownRow: await explainRow({ ...row, positions: 'own' }),
  };
}

describeWebGpu('tiles on a device', (gpu) => {
  it('have the weights, and the limits of what is missed, that the CPU gives, under either’s positions', async () => {
    const ops = await createWebGpuOps({ device: gpu.device });
    const [there, here] = [await picturesOf(ops), await picturesOf(createCpuOps())];
    const compare = (a: ArrayLike<number>, b: ArrayLike<number>, tolerance: number, name: string): void => {
      expect(a.length).toBe(b.length);
      let largest = 0;
      for (let i = 0; i < a.length; i++) {
        largest = Math.max(largest, Math.abs(a[i]! - b[i]!) / Math.max(1, Math.abs(b[i]!)));
      }
      expect(largest, name).toBeLessThan(tolerance);
    };
    for (const whose of ['model', 'own'] as const) {
      there[whose].forEach((lines: PooledLines, i) => {
        for (const plane of ['maximum', 'mean', 'excess'] as const) {
          compare(lines[plane], here[whose][i]![plane], 1e-4, `${whose}, piece ${i}, ${plane}`);
        }
      });
    }
    for (const name of ['modelRow', 'ownRow'] as const) {
      compare(there[name].weights, here[name].weights, 1e-5, name);
      expect(there[name].firstWeight).toBeCloseTo(here[name].firstWeight, 5);
      expect(there[name].fates).toEqual(here[name].fates);
    }
    expect(there.own[1]!.maximum, 'ESA’s positions are others').not.toEqual(there.model[1]!.maximum);
    ops.destroy();
  }, 180_000);
});
