/** Parameters that are said to change nothing under values of others: they do not, and under another value they do. */
import { isDeepStrictEqual } from 'node:util';
import { expect, it } from 'vitest';
import { createCpuOps } from '../../gpu/cpu';
import { headMajorRows } from '../../gpu/rows';
import { Scratch } from '../../gpu/scratch';
import { choose } from '../../src/measure/choices';
import { readKept, readScores } from '../../src/measure/selection-reader';
import { contextOf, startTraceRun, type TraceRun } from '../../src/measure/trace-run';
import { methodById, methods } from '../../src/methods';
import type { Method, QueryBlock, Selection } from '../../src/methods/method';
import { methodKey } from '../../src/methods/method-spec';
import {
  idleBy,
  type ParameterSchema,
  type Parameters,
  type ParameterValue,
  resolveParameters,
} from '../../src/methods/parameters';
import type { LayerTrace } from '../../src/trace/trace';
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

const outcomes = new Map<string, Promise<unknown>>();

/**
 * What a run chooses in its first layer, what its last query costs and, of the last block before the eviction and the text's last, the
 * scores that alone decided and what is attended to.
 */
function outcome(method: Method, parameters: Parameters): Promise<unknown> {
  const key = methodKey({ id: method.id, parameters });
  const known = outcomes.get(key) ?? makeOutcome(method, parameters);
  outcomes.set(key, known);
  return known;
}

async function makeOutcome(method: Method, parameters: Parameters): Promise<unknown> {
  const { ops } = text;
  const run = await startTraceRun(text, method, parameters, EVICT_AT);
  const trace = text.layerTraces[0]!;
  const seen: unknown[] = [];
  for (const { blocks, selections } of choose(run, trace, run.blocks, undefined)) {
    for (const [i, selection] of selections.entries()) {
      seen.push(await readKept(ops, selection));
      if (blocks[i]!.end !== EVICT_AT && blocks[i]!.end !== SHAPE.tokens) continue;
      seen.push(await output(run, trace, blocks[i]!, selection));
      if (!selection.decidedBy) seen.push(await readScores(ops, selection, SHAPE.tokens));
    }
  }
  run.dispose();
  const block = run.blocks.at(-1)!;
  const last = { position: SHAPE.tokens - 1, block, evictAt: EVICT_AT, promptEnd: SHAPE.tokens };
  const once = method.onceOperations?.(parameters, context, 0, last);
  return { seen, once, cost: method.cost(parameters, context, 0, last) };
}

/** What a block's queries attend to. */
async function output(
  { run, inputOf }: TraceRun,
  trace: LayerTrace,
  block: QueryBlock,
  selection: Selection,
): Promise<Float32Array> {
  const { ops, scores } = text;
  const part = inputOf(trace, block);
  const { query, key, value } = part;
  const { heads, rows, channels } = query;
  const scratch = new Scratch(ops);
  const out = headMajorRows(scratch.floats(heads * rows * channels, 'output'), heads, rows, channels);
  const logSumExp = {
    buffer: scratch.floats(heads * rows, 'log-sum-exp'),
    offset: 0,
    headStride: rows,
  };
  const { list, rangeStart } = selection;
  const visible = { ...(list && { list }), range: { start: rangeStart, end: block.end, causal: true } };
  if (run.attend) run.attend(part, selection, out, logSumExp);
  else ops.attention({ query, key, value, ...scores, visible, out, logSumExp });
  const numbers = await ops.readFloats(out.buffer);
  scratch.release();
  return numbers;
}

/** Another value than `value`, of `schema`. */
function other(schema: ParameterSchema, value: ParameterValue): ParameterValue {
  if (schema.kind === 'choice') return schema.options.find((option) => option.value !== value)!.value;
  if (schema.kind === 'count') return Number(value) + 2;
  return schema.kind === 'fraction' && value === schema.maximum ? schema.minimum : Number(schema.maximum);
}

/** Two queries fewer leave the search with the same pattern. */
const FIRST_QUERY = 64;

function withOther({ parameters: schemas }: Method, name: string, parameters: Parameters): Parameters {
  const value = name === 'firstQuery' ? FIRST_QUERY : other(schemas[name]!, parameters[name]!);
  return { ...parameters, [name]: value };
}

/** Values under which a parameter is not idle: all other options, or one number. */
function awake(method: Method, name: string, idle: readonly ParameterValue[]): readonly ParameterValue[] {
  const schema = method.parameters[name]!;
  if (schema.kind === 'choice')
    return schema.options.map(({ value }) => value).filter((value) => !idle.includes(value));
  const ordinary = resolveParameters(method, {}, context)[name]!;
  return [idle.includes(ordinary) ? other(schema, ordinary) : ordinary];
}

function parametersOf(method: Method, name: string, value: ParameterValue): Parameters {
  const given = 'outputProjection' in method.parameters ? { outputProjection: 'identity' } : {};
  return resolveParameters(method, { ...given, [name]: value }, context);
}

it.each(cases)('%s: %s is said to change nothing where %s is %s', (id, name, by, value) => {
  const { parameters: schemas } = methodById(id);
  const schema = schemas[by]!;
  const isValue =
    schema.kind === 'choice'
      ? schema.options.some((option) => option.value === value)
      : schema.kind !== 'table' && Number(value) >= schema.minimum;
  expect(isValue).toBe(true);
  const parameters = parametersOf(methodById(id), by, value);
  expect(idleBy(schemas, name, parameters)).toMatch(schema.label);
  expect(idleBy(schemas, by, parameters)).toBeNull();
});

const run = cases.filter(([id, , by]) => !NOT_RUN.includes(id) && !NOT_RUN.includes(by));

it.each(run)('%s: %s changes nothing where %s is %s', async (id, name, by, value) => {
  const method = methodById(id);
  const parameters = parametersOf(method, by, value);
  const moved = withOther(method, name, parameters);
  expect(await outcome(method, moved)).toEqual(await outcome(method, parameters));
});

const pairs = [
  ...new Map(run.map(([id, name, by]) => [`${id} ${name} ${by}`, [id, name, by] as const])).values(),
];

// Otherwise that they change nothing would say nothing.
it.each(pairs)('%s: %s changes something under another value of %s', async (id, name, by) => {
  const method = methodById(id);
  let changes = false;
  for (const value of awake(method, by, method.parameters[name]!.idleWhere![by]!)) {
    // The model brings no projection.
    if (value === 'learned') continue;
    const parameters = parametersOf(method, by, value);
    const moved = withOther(method, name, parameters);
    changes ||= !isDeepStrictEqual(await outcome(method, moved), await outcome(method, parameters));
    if (changes) break;
  }
  expect(changes).toBe(true);
});

it('layers that differ idle together only', () => {
  const { parameters } = methodById('squeezed-attention');
  expect(idleBy(parameters, 'coarseQuantile', { coarseClusters: [0, 0] })).toBe('Coarse clusters is 0');
  expect(idleBy(parameters, 'coarseQuantile', { coarseClusters: [0, 4] })).toBeNull();
  expect(idleBy(parameters, 'clusters', {})).toBeNull();
  // Its budget moves the share of streaming heads, which then keep these.
  expect(idleBy(methodById('duo-attention').parameters, 'sinkTokens', { streamingFraction: 0 })).toBeNull();
});
