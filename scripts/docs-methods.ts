/** Tables of docs/methods.md that are made by running the methods: what a budget keeps, and what a moved parameter computes anew. */
import { createCpuOps } from '../gpu/cpu';
import { UserError } from '../src/base/user-error';
import { contextOf, layerInput, methodContext } from '../src/measure/trace-run';
import { methods } from '../src/methods';
import { studyBlocks } from '../src/methods/blocks';
import type { Method, Remembered, ScoreMemo } from '../src/methods/method';
import {
  type ParameterContext,
  type ParameterSchema,
  type Parameters,
  resolveParameters,
} from '../src/methods/parameters';
import { bundledModelFacts } from '../src/study/context';
import type { Rereading } from '../src/trace/rereading';
import { randomLayers, recordText } from '../tests/methods/recorded';

/** The bundled model with a text of this length whose last eighth are the queries. */
const EXAMPLE: ParameterContext = { ...bundledModelFacts, tokens: 1024 };
const PLACES = { evictAt: 896, answerStart: null };
const FRACTION = 0.25;

const code = (text: string): string => `\`${text}\``;

/** A row for every method: what `sweep --keep 0.25` sets, what the text's last query then sees, and the least it can keep. */
export function budgetRows(): string[][] {
  return methods.map((method) => {
    const parameters = resolveParameters(method, {}, EXAMPLE);
    const asked = method.withBudget(parameters, EXAMPLE, FRACTION, PLACES);
    const floor = method.withBudget(parameters, EXAMPLE, 0, PLACES);
    // What stays the same whatever is asked for is not set.
    const half = method.withBudget(parameters, EXAMPLE, 2 * FRACTION, PLACES);
    const other = 'parameters' in half ? half.parameters : parameters;
    const decides = code(method.traits(parameters).decides);
    const least =
      'floor' in floor ? `${(100 * floor.floor).toPrecision(3)} %` : 'reason' in floor ? '–' : 'none';
    if (!('parameters' in asked)) return [code(method.id), decides, '–', '–', least];
    const set = Object.entries(asked.parameters)
      .filter(([name, value]) => JSON.stringify(value) !== JSON.stringify(other[name]))
      .map(([name, value]) => `${code(name)} ${valueIn(value)}`);
    return [code(method.id), decides, set.join(', '), keysSeen(method, asked.parameters), least];
  });
}

/** Keys that the last query sees, in the layer where they are fewest and the one where they are most. */
function keysSeen(method: Method, parameters: Parameters): string {
  const { tokens, layers } = EXAMPLE;
  const blocks = studyBlocks(method, parameters, { tokens, ...PLACES }, EXAMPLE);
  const query = { position: tokens - 1, block: blocks.at(-1)!, evictAt: PLACES.evictAt, promptEnd: tokens };
  const counts = Array.from({ length: layers }, (_, layer) =>
    Math.round(method.cost(parameters, EXAMPLE, layer, query).keptKeys),
  );
  return [...new Set([Math.min(...counts), Math.max(...counts)])].join(' or ');
}

const valueIn = (value: Parameters[string]): string =>
  Array.isArray(value)
    ? [...new Set(value)].map(valueIn).join(' … ')
    : String(Math.round(1e4 * Number(value)) / 1e4);

/** A row for every method: parameters that may move while its scores are found again, and those that make some anew. */
export async function memoRows(): Promise<string[][]> {
  const rows: string[][] = [];
  for (const method of methods) {
    const defaults = resolveParameters(method, {}, contextOf(text));
    const choices = Object.entries(method.parameters).flatMap(([name, schema]) =>
      schema.kind === 'choice' ? schema.options.map(({ value }) => ({ ...defaults, [name]: value })) : [],
    );
    const anew = new Set<string>();
    let remembers = false;
    for (const start of [defaults, ...choices]) {
      const known = await keysAsked(method, start);
      if (!known || known.size === 0) continue;
      remembers = true;
      for (const [name, schema] of Object.entries(method.parameters)) {
        for (const value of movedValues(schema, start[name])) {
          const asked = await keysAsked(method, { ...start, [name]: value });
          if (asked && [...asked].some((key) => !known.has(key))) anew.add(name);
        }
      }
    }
    const names = Object.keys(method.parameters);
    const listed = (of: string[]): string => of.map(code).join(', ') || '–';
    rows.push(
      remembers
        ? [code(method.id), listed(names.filter((name) => !anew.has(name))), listed([...anew])]
        : [code(method.id), 'remembers nothing', '–'],
    );
  }
  return rows;
}

const SHAPE = { tokens: 224, queryHeads: 4, keyValueHeads: 2, headDimension: 8 };
const EVICT_AT = 192;
const text = recordText(createCpuOps(), SHAPE, randomLayers(SHAPE, 2, 1));

/** Values beside `value`, of which a method may refuse some. */
function movedValues(schema: ParameterSchema, value: Parameters[string] | undefined): Parameters[string][] {
  if (schema.kind === 'choice') return schema.options.map((option) => option.value);
  if (schema.kind === 'table') return [[[schema.minimum]]];
  if (typeof value !== 'number') return [];
  return schema.kind === 'fraction' ? [value > 0.5 ? value - 0.2 : value + 0.2] : [value + 1, value + 2];
}

/** A model that reads on and shows nothing, for what is asked of the memo does not depend on it. */
const rereading: Rereading = {
  ...{ ids: new Uint32Array(SHAPE.tokens), encode: null, textsOf: null, mostAtOnce: SHAPE.tokens },
  read: async () => {},
};

/** What a run over the text asks its memo for in the first layer; null where the method refuses the parameters or needs more than the text. */
async function keysAsked(method: Method, given: Record<string, unknown>): Promise<Set<string> | null> {
  const keys = new Set<string>();
  const held = new Map<string, Remembered>();
  const memo: ScoreMemo = {
    get<T extends Remembered>(key: string, make: () => T): T {
      keys.add(key);
      const value = (held.get(key) as T | undefined) ?? make();
      held.set(key, value);
      return value;
    },
  };
  try {
    const parameters = resolveParameters(method, given, contextOf(text));
    const { wants } = method.traits(parameters);
    const run = method.start({ ...methodContext(text, EVICT_AT), rereading, memo }, parameters);
    await run.prepare?.(text.layerTraces);
    const places = { tokens: text.tokens, evictAt: EVICT_AT, answerStart: null };
    for (const block of studyBlocks(method, parameters, places, contextOf(text))) {
      const input = layerInput(text.layerTraces[0]!, block, wants, text.layerTraces);
      const selection = run.select(input);
      run.attended?.(input, selection, null);
    }
    run.dispose();
    return keys;
  } catch (error) {
    if (error instanceof UserError) return null;
    throw error;
  }
}
