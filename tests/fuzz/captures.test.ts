import fc from 'fast-check';
import { expect, test } from 'vitest';
import { createCpuOps } from '../../gpu/cpu';
import { measureLayers } from '../../src/measure/measure-layers';
import { selectAll } from '../../src/measure/select-all';
import { methodById, methods } from '../../src/methods';
import { resolveParameters } from '../../src/methods/parameters';
import { readCapture } from '../../src/model/capture/capture';
import { readSafetensors } from '../../src/model/files/safetensors';
import { type TensorToWrite, writeSafetensors } from '../../src/model/files/safetensors-writer';
import { traceOfCapture } from '../../src/trace/from-decoder';
import { allFinite, Outcomes, oddValue, settings } from './fuzz';

const ops = createCpuOps();

const shapes = fc.record({
  tokens: fc.integer({ min: 1, max: 40 }),
  groups: fc.integer({ min: 1, max: 3 }),
  headsPerGroup: fc.integer({ min: 1, max: 3 }),
  channels: fc.constantFrom(1, 2, 3, 4, 8, 16),
  layers: fc.integer({ min: 1, max: 2 }),
});
/** How values are made: equal, tied, tiny, huge, ordinary. */
const kinds = ['ordinary', 'constant', 'ties', 'zero', 'denormal', 'large', 'huge', 'one-hot'] as const;
const oddMetadata = fc.record(
  {
    format: fc.constantFrom('keyhole-capture-1', 'keyhole-capture-9', ''),
    layers: fc.constantFrom('1', '2', '3', '0', '-1', '1e3', 'x'),
    rope_theta: fc.constantFrom('10000', '1', '0', '-5', '1e308', 'NaN'),
    rope: fc.constantFrom(
      '{"rope_type":"default","rope_theta":10000}',
      '{"rope_type":"yarn","factor":4}',
      '{',
      '[]',
      'null',
    ),
    attention_scale: fc.constantFrom('1', '0.25', '0', '-1', '1e6', '1e30', 'NaN'),
    position_offset: fc.constantFrom('0', '7', '1000', '2147483647', '-1', '1.5', '1e10'),
    answer_start: fc.constantFrom('1', '3', '30', '0', '-1', 'x'),
    trained_tokens: fc.constantFrom('16', '1024', '0', 'x'),
    tokens: fc.oneof(
      fc.constant('["a"]'),
      oddValue.map((value) => JSON.stringify(value) ?? 'null'),
    ),
  },
  { requiredKeys: [] },
);

const metadata: fc.Arbitrary<Record<string, string>> = fc.oneof(
  { weight: 3, arbitrary: fc.constant({ format: 'keyhole-capture-1', rope_theta: '10000' }) },
  {
    weight: 2,
    arbitrary: fc.record({
      format: fc.constant('keyhole-capture-1'),
      rope_theta: fc.constantFrom('10000', '1', '100'),
      attention_scale: fc.constantFrom('1', '0.25', '1e6'),
      position_offset: fc.constantFrom('0', '7', '1000', '2147483647'),
    }),
  },
  { weight: 1, arbitrary: oddMetadata as fc.Arbitrary<Record<string, string>> },
);

function values(kind: (typeof kinds)[number], length: number, salt: number): Float32Array {
  let state = salt >>> 0;
  const next = (): number => {
    state = (Math.imul(1664525, state) + 1013904223) >>> 0;
    return state / 2 ** 31 - 1;
  };
  return Float32Array.from({ length }, (_, i) => {
    switch (kind) {
      case 'ordinary':
        return next();
      case 'constant':
        return 1;
      case 'ties':
        return Math.round(next());
      case 'zero':
        return i % 2 === 0 ? 0 : -0;
      case 'denormal':
        return next() * 1e-42;
      case 'large':
        return next() * 1e9;
      case 'huge':
        return next() * 3e38;
      case 'one-hot':
        return i % 5 === 0 ? 1 : 0;
    }
  });
}

const input = fc.record({
  shape: shapes,
  query: fc.constantFrom(...kinds),
  key: fc.constantFrom(...kinds),
  value: fc.constantFrom(...kinds),
  unrotated: fc.boolean(),
  metadata,
  method: fc.constantFrom(...methods.map(({ id }) => id)),
  share: fc.double({ min: 0, max: 1, noNaN: true }),
  salt: fc.nat(),
});

test('a capture of odd values is measured in finite numbers, or refused in one sentence', async () => {
  const outcomes = new Outcomes('captures');
  await fc.assert(
    fc.asyncProperty(input, async ({ shape, metadata, method: id, share, salt, unrotated, ...kind }) => {
      await outcomes.of(async () => {
        const { tokens, groups, headsPerGroup, channels, layers } = shape;
        const tensors: Record<string, TensorToWrite> = {};
        for (let layer = 0; layer < layers; layer++) {
          const add = (name: string, heads: number, of: (typeof kinds)[number]): void => {
            const data = values(of, heads * tokens * channels, salt + layer * 31 + name.length);
            tensors[`${name}.${layer}`] = { dtype: 'F32', shape: [heads, tokens, channels], data };
          };
          add('query', groups * headsPerGroup, kind.query);
          add('key', groups, kind.key);
          add('value', groups, kind.value);
          if (unrotated) {
            add('query_unrotated', groups * headsPerGroup, kind.query);
            add('key_unrotated', groups, kind.key);
          }
        }
        const capture = await readCapture(readSafetensors(writeSafetensors(tensors, metadata)));
        const text = await traceOfCapture(ops, capture);
        try {
          const context = { ...text, tokens };
          const method = methodById(id);
          const given = 'keepFraction' in method.parameters ? { keepFraction: share } : {};
          const parameters = resolveParameters(method, given, context);
          const start = Math.floor(share * (tokens - 1));
          const measured = await measureLayers({ text, method, parameters, queries: { start, end: tokens } });
          expect(allFinite(measured)).toBe(true);
          const isCounted = method.traits(parameters).cache === 'tokens';
          for (const { massRecall, keptShare } of measured) {
            if (!isCounted) expect(massRecall).toBeNull();
            else {
              expect(massRecall).toBeGreaterThanOrEqual(0);
              expect(massRecall).toBeLessThanOrEqual(1);
            }
            expect(keptShare).toBeGreaterThan(0);
            expect(keptShare).toBeLessThanOrEqual(1);
          }
          const { after } = await selectAll({
            text,
            method,
            parameters,
            traceIndex: 0,
            evictAt: tokens,
            withScores: true,
          });
          for (const set of after.kept.sets) {
            for (let i = 1; i < set.length; i++) expect(set[i]).toBeGreaterThan(set[i - 1]!);
            if (set.length > 0) expect(set[set.length - 1]).toBeLessThan(tokens);
          }
        } finally {
          text.release();
        }
      });
    }),
    settings,
  );
  outcomes.end();
}, 3_600_000);
