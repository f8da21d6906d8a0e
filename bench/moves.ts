/**
 * How long a person waits for the numbers of all layers when a parameter of any method moves: first its budget, then a parameter
 * that its scores or its choice depend on. What is measured is compared with the CPU's before.
 */
import { createCpuOps } from '../gpu/cpu';
import type { Ops } from '../gpu/ops';
import { nodeEnvironment } from '../src/cli/node-environment';
import { openModel } from '../src/engine/open-model';
import { parameterContext, resolve } from '../src/engine/resolve';
import type { LayerMeasurement } from '../src/measure/results';
import { methods } from '../src/methods';
import type { Method } from '../src/methods/method';
import type { ParameterContext, Parameters } from '../src/methods/parameters';
import { checkOutput } from './check';
import { LiveStudy, median } from './live-study';
import type { Section } from './section';

/** As in live.ts; checked where the CPU is quick. */
const TOKENS = { gpu: 4096, cpu: 1024 };
const CHECKED_TOKENS = 256;
/** Fractions that the budget moves through, up and down: none comes twice, so that nothing is at hand. */
const FRACTIONS = [0.24, 0.2, 0.16, 0.13, 0.1, 0.08, 0.15, 0.26, 0.21, 0.18];
/** A method that takes longer in all is moved less often, but once at least after the first move. */
const MOST_MILLISECONDS = 5000;
/** Moves that nobody times: lists of other lengths may be other kernels'. */
const WARM_UPS = 3;
/** Of a number that can take fewer values than this a median says little. */
const FEWEST_VALUES = 4;
/**
 * Relative to the largest: sums in another order, and then another choice among scores that are all but equal, which a method that
 * evicts while it reads carries along.
 */
const TOLERANCE = 2e-2;

export const moves: Section = {
  name: 'moves',
  title: 'A parameter of each method moves: the numbers of all layers',
  needsGpu: false,
  async run({ ops, methods: ids, row, print }) {
    if (ops.isSoftware) {
      print('left out: a software driver takes minutes to compile what all methods need');
      return;
    }
    const measured = methods.filter(({ id }) => ids?.includes(id) ?? true);
    await checkMethods(ops, measured);
    const tokens = TOKENS[ops.backend === 'cpu' ? 'cpu' : 'gpu'];
    const context = await contextOf(ops, tokens);
    // What moves first is compiled for another study of the same text, where what it finds is not at hand for this one.
    const [warmUp, study] = [new LiveStudy(ops, tokens), new LiveStudy(ops, tokens)];
    for (const each of [warmUp, study]) await each.run({ id: 'full', parameters: {} }, ['probe']);
    for (const method of measured) {
      for (const { parameter, values } of movesOf(method, context)) {
        for (const parameters of values.slice(0, WARM_UPS))
          await warmUp.move({ id: method.id, parameters }, 'layers');
        // The first one finds nothing at hand.
        const [first, ...others] = values;
        let spent = (await study.move({ id: method.id, parameters: first! }, 'layers')).layers;
        const times: number[] = [];
        for (const parameters of others) {
          const { layers } = await study.move({ id: method.id, parameters }, 'layers');
          times.push(layers);
          spent += layers;
          if (spent > MOST_MILLISECONDS) break;
        }
        const size = `${tokens} tokens, median of ${times.length}, slowest ${Math.max(...times).toFixed(0)}`;
        row({ name: `${method.id}, ${parameter}`, size, milliseconds: median(times), flops: 0, bytes: 0 });
      }
    }
  },
};

export async function contextOf(
  ops: Ops,
  tokens: number,
  environment = nodeEnvironment(),
): Promise<ParameterContext> {
  const model = await openModel(ops, environment.modelFolder('bundled'));
  model.decoder.release();
  return parameterContext(model, tokens);
}

export interface Moves {
  /** The first name that moves. */
  readonly parameter: string;
  /** Different parameters, the first one to begin at. */
  readonly values: readonly Parameters[];
}

/** Names of counts of tokens that stay for their place, whatever the scores. */
const FOR_THEIR_PLACE = /^(sink|init|local)/;

/** Ten moves of the budget, and ten of the first number that scores depend on, as far as names tell; only what there is. */
export function movesOf(method: Method, context: ParameterContext): Moves[] {
  const { parameters } = resolve({ id: method.id, parameters: {} }, context);
  const places = { evictAt: Math.floor((7 * context.tokens) / 8), answerStart: null };
  const budgets = [0.3, ...FRACTIONS].flatMap((fraction) => {
    const budget = method.withBudget(parameters, context, fraction, places);
    return 'parameters' in budget ? [budget.parameters] : [];
  });
  const names = Object.keys(parameters);
  const byBudget = names.filter((name) => budgets.some((moved) => moved[name] !== parameters[name]));
  const others = names.filter((name) => !byBudget.includes(name) && !FOR_THEIR_PLACE.test(name));
  const scoring = others.map((name) => ({ parameter: name, values: movesOfNumber(method, context, name) }));
  return [
    ...(byBudget[0] ? [{ parameter: byBudget[0], values: distinct(budgets) }] : []),
    ...scoring.filter(({ values }) => values.length >= FEWEST_VALUES).slice(0, 1),
  ];
}

/** Values of a number around its default that the method takes: nothing for a choice. */
function movesOfNumber(method: Method, context: ParameterContext, name: string): Parameters[] {
  const schema = method.parameters[name]!;
  if (schema.kind === 'choice') return [];
  const { parameters } = resolve({ id: method.id, parameters: {} }, context);
  const start = parameters[name];
  if (typeof start !== 'number') return [];
  const step = schema.kind === 'count' ? Math.max(1, Math.floor(start / 16)) : 0.01;
  const values = [...FRACTIONS, 0.3].map((_, i) => start + (i % 2 ? -1 : 1) * step * (1 + (i >> 1)));
  // Where there is nothing below the default, above it.
  const above = values.map((_, i) => start + step * (values.length + i));
  const taken = [...values, ...above].flatMap((value): Parameters[] => {
    try {
      return [resolve({ id: method.id, parameters: { ...parameters, [name]: value } }, context).parameters];
    } catch {
      return [];
    }
  });
  return taken.slice(0, values.length);
}

function distinct(all: readonly Parameters[]): Parameters[] {
  const byText = new Map(all.map((parameters) => [JSON.stringify(parameters), parameters]));
  return [...byText.values()];
}

/** @throws if a method's numbers are not the CPU's */
async function checkMethods(ops: Ops, measured: readonly Method[]): Promise<void> {
  const cpu = createCpuOps({ simd: false });
  const [expected, actual] = [new LiveStudy(cpu, CHECKED_TOKENS), new LiveStudy(ops, CHECKED_TOKENS)];
  for (const { id } of measured) {
    const method = { id, parameters: {} };
    const [wanted, given] = [await expected.move(method, 'layers'), await actual.move(method, 'layers')];
    for (const [name, of] of CHECKED)
      checkOutput(`${name} of ${id}`, given.measured.map(of), wanted.measured.map(of), TOLERANCE);
  }
  cpu.destroy();
}

const CHECKED: readonly [string, (layer: LayerMeasurement) => number][] = [
  ['kept keys', ({ keptKeys }) => keptKeys],
  ['mass recall', ({ massRecall }) => massRecall ?? 1],
  // Full attention has none, so 1 stands beside them.
  ['output error', ({ outputError }) => 1 + outputError],
];
