import fc from 'fast-check';
import { expect, test } from 'vitest';
import { createCpuOps } from '../../gpu/cpu';
import { measureLayers } from '../../src/measure/measure-layers';
import { importedMethod } from '../../src/methods/imported';
import { readImportedSelection } from '../../src/methods/imported/selection';
import { resolveParameters } from '../../src/methods/parameters';
import { readCapture } from '../../src/model/capture/capture';
import { readSafetensors } from '../../src/model/files/safetensors';
import { type TensorToWrite, writeSafetensors } from '../../src/model/files/safetensors-writer';
import { traceOfCapture } from '../../src/trace/from-decoder';
import { allFinite, byteChanges, mutateBytes, Outcomes, settings } from './fuzz';

const ops = createCpuOps();
const [TOKENS, LAYERS, QUERY_HEADS, GROUPS, CHANNELS] = [12, 2, 4, 2, 4];

function capture(): Uint8Array {
  const tensors: Record<string, TensorToWrite> = {};
  for (let layer = 0; layer < LAYERS; layer++) {
    for (const [name, heads] of [
      ['query', QUERY_HEADS],
      ['key', GROUPS],
      ['value', GROUPS],
    ] as const) {
      const data = Float32Array.from({ length: heads * TOKENS * CHANNELS }, (_, i) => Math.sin(i + layer));
      tensors[`${name}.${layer}`] = { dtype: 'F32', shape: [heads, TOKENS, CHANNELS], data };
    }
  }
  return writeSafetensors(tensors, { format: 'keyhole-capture-1' });
}

const text = await traceOfCapture(ops, await readCapture(readSafetensors(capture())));

/** Mostly ascending, sometimes not; a little beyond the text. */
const row = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.uniqueArray(fc.integer({ min: 0, max: 6 })).map((list) => list.sort((a, b) => a - b)),
  },
  { weight: 1, arbitrary: fc.array(fc.integer({ min: -3, max: 13 }), { maxLength: 6 }) },
);
const file = fc.record({
  sets: fc.constantFrom(1, 1, 2, 4, 3),
  row: fc.array(row, { minLength: 8, maxLength: 8 }),
  isByBlock: fc.boolean(),
  cuts: fc.uniqueArray(fc.integer({ min: 0, max: 13 }), { minLength: 1, maxLength: 5 }),
  layers: fc.constantFrom(2, 2, 2, 1, 3),
  scores: fc.constantFrom('none', 'ordinary', 'NaN', 'infinite'),
  metadata: fc.record(
    {
      evicted_after: fc.constantFrom('7', '8', '12', '12', '13', '0', '-1', 'x', ''),
      tokens: fc.constantFrom('12', '9', 'x'),
      candidates: fc.constantFrom('{"0":[0,7],"1":[2,2]}', '{"0":[0,99]}', '{', '[]', 'null'),
    },
    { requiredKeys: [] },
  ),
  changes: fc.option(byteChanges, { freq: 5 }),
});

function padded(rows: readonly (readonly number[])[]): TensorToWrite {
  const longest = Math.max(...rows.map(({ length }) => length));
  const data = new Int32Array(rows.length * longest).fill(-1);
  for (const [at, list] of rows.entries()) data.set(list, at * longest);
  return { dtype: 'I32', shape: [rows.length, longest], data };
}

test('a file of kept keys is measured in finite numbers, or refused in one sentence', async () => {
  const outcomes = new Outcomes('imported');
  await fc.assert(
    fc.asyncProperty(file, async (made) => {
      await outcomes.of(async () => {
        const tensors: Record<string, TensorToWrite> = {};
        const rows = (salt: number) => Array.from({ length: made.sets }, (_, i) => made.row[(i + salt) % 8]!);
        const cuts = made.cuts.toSorted((a, b) => a - b);
        const blocks = cuts.slice(1).map((end, i) => [cuts[i]!, end] as const);
        if (made.isByBlock && blocks.length > 0)
          tensors.blocks = { dtype: 'I32', shape: [blocks.length, 2], data: Int32Array.from(blocks.flat()) };
        for (let layer = 0; layer < made.layers; layer++) {
          if (made.isByBlock)
            for (const [b, [start]] of blocks.entries())
              tensors[`kept.${layer}.${b}`] = padded(
                rows(layer + b).map((list) => list.filter((token) => token < start || start > 6)),
              );
          else tensors[`kept.${layer}`] = padded(rows(layer));
          if (made.scores === 'none') continue;
          const value = { ordinary: 1, NaN: Number.NaN, infinite: Infinity }[made.scores];
          const data = new Float32Array(made.sets * TOKENS).fill(value);
          tensors[`score.${layer}`] = { dtype: 'F32', shape: [made.sets, TOKENS], data };
        }
        const whole = writeSafetensors(tensors, made.metadata as Record<string, string>);
        const bytes = made.changes ? mutateBytes(whole, made.changes) : whole;
        const selection = readImportedSelection(readSafetensors(bytes), 'kept.safetensors');
        const method = importedMethod(selection, text);
        const parameters = resolveParameters(method, {}, text);
        const measured = await measureLayers({
          text,
          method,
          parameters,
          queries: { start: 7, end: TOKENS },
        });
        expect(allFinite(measured)).toBe(true);
        for (const { massRecall, keptShare } of measured) {
          expect(massRecall).toBeGreaterThanOrEqual(0);
          expect(massRecall).toBeLessThanOrEqual(1);
          expect(keptShare).toBeGreaterThan(0);
          expect(keptShare).toBeLessThanOrEqual(1);
        }
      });
    }),
    settings,
  );
  outcomes.end();
}, 3_600_000);
