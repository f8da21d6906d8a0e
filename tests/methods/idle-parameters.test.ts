/** Parameters that are said to change nothing under values of others: they do not. */
import { expect, it } from 'vitest';
import { createCpuOps } from '../../gpu/cpu';
import { choose } from '../../src/measure/choices';
import { readKept } from '../../src/measure/selection-reader';
import { contextOf, startTraceRun } from '../../src/measure/trace-run';
import { methodById, methods } from '../../src/methods';
import type { Method } from '../../src/methods/method';
import {
  idleBy,
  type Parameters,
  type ParameterValue,
  resolveParameters,
} from '../../src/methods/parameters';
import { randomLayers, recordText } from './recorded';

const SHAPE = { tokens: 96, queryHeads: 4, keyValueHeads: 2, headDimension: 8 };
const EVICT_AT = 80;
const text = recordText(createCpuOps(), SHAPE, randomLayers(SHAPE, 1, 1), { trainedTokens: 64 });
const context = contextOf(text);

const cases = methods.flatMap((method) =>
  Object.entries(method.parameters).flatMap(([name, { idleWhere = {} }]) =>
    Object.entries(idleWhere).flatMap(([other, values]) =>
      values.map((value) => [method.id, name, other, value] as const),
    ),
  ),
);

/** Run elsewhere: maps of a model, and clusters and directions of a capture. */
const NOT_RUN = ['lorc', 'labels', 'sketch'];

/** Keys that every block of a layer sees, and what its last query costs. */
async function outcome(method: Method, parameters: Parameters): Promise<unknown> {
  const run = await startTraceRun(text, method, resolveParameters(method, parameters, context), EVICT_AT);
  const kept: unknown[] = [];
  for (const { selections } of choose(run, text.layerTraces[0]!, run.blocks, undefined))
    for (const selection of selections) kept.push(await readKept(text.ops, selection));
  run.dispose();
  const last = {
    position: SHAPE.tokens - 1,
    block: run.blocks.at(-1)!,
    evictAt: EVICT_AT,
    promptEnd: SHAPE.tokens,
  };
  return { kept, keptKeys: method.cost(parameters, context, 0, last).keptKeys };
}

function other({ parameters: schemas }: Method, name: string, value: ParameterValue): ParameterValue {
  const schema = schemas[name]!;
  if (schema.kind === 'choice') return schema.options.find((option) => option.value !== value)!.value;
  if (schema.kind === 'count') return Number(value) + 2;
  return schema.kind === 'fraction' && value === schema.maximum ? schema.minimum : Number(schema.maximum);
}

it.each(cases)('%s: %s changes nothing where %s is %s', async (id, name, by, value) => {
  const method = methodById(id);
  const schema = method.parameters[by]!;
  const isValue =
    schema.kind === 'choice'
      ? schema.options.some((option) => option.value === value)
      : schema.kind !== 'table' && Number(value) >= schema.minimum;
  expect(isValue).toBe(true);
  const given = 'outputProjection' in method.parameters ? { outputProjection: 'identity' } : {};
  const parameters = resolveParameters(method, { ...given, [by]: value }, context);
  expect(idleBy(method.parameters, name, parameters)).toMatch(schema.label);
  expect(idleBy(method.parameters, by, parameters)).toBeNull();
  if (NOT_RUN.includes(id) || NOT_RUN.includes(by)) return;
  const moved = { ...parameters, [name]: other(method, name, parameters[name]!) };
  expect(await outcome(method, moved)).toEqual(await outcome(method, parameters));
});

it('layers that differ idle together only', () => {
  const { parameters } = methodById('squeezed-attention');
  expect(idleBy(parameters, 'coarseQuantile', { coarseClusters: [0, 0] })).toBe('Coarse clusters is 0');
  expect(idleBy(parameters, 'coarseQuantile', { coarseClusters: [0, 4] })).toBeNull();
  expect(idleBy(parameters, 'clusters', {})).toBeNull();
  expect(idleBy(methodById('duo-attention').parameters, 'sinkTokens', { streamingFraction: 0 })).toBe(
    'Streaming heads is 0 %',
  );
});
