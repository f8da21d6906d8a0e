/**
 * How long the attention step of a text's prompt takes with a method, selection included, beside full attention
 * (docs/measurements.md, "Time"): on the text as full attention read it, block by block as a free run does, so that both sides do
 * nothing but the step. One sample says little on a busy machine: both are measured in turn, several times, after a first turn that
 * is thrown away.
 */
import type { MeasuredTime } from '../../gpu/ops';
import { sliceRows } from '../../gpu/rows';
import { Scratch } from '../../gpu/scratch';
import { median } from '../base/median';
import { contextOf, layerInput, methodContext } from '../measure/trace-run';
import { promptBlocks } from '../methods/blocks';
import { FULL_AS_TRAINED, full } from '../methods/full';
import type { LayerInput, Method } from '../methods/method';
import type { Parameters } from '../methods/parameters';
import { attendSelection, fullLogSumExp } from '../model/decoder/attend';
import type { TimeMeasurement } from '../study/results';
import { layersOfMethods, type Trace } from '../trace/trace';

/** Unless a person asks for it, measuring time takes no longer than this. */
export const TIME_BUDGET_MILLISECONDS = 3000;
/** Fewer pairs say nothing. */
const FEWEST_PAIRS = 3;
const USUAL_PAIRS = 5;
/** More where they are short. */
const MOST_PAIRS = 25;
const SHORT_MILLISECONDS = 500;

export interface TimeRequest {
  readonly text: Trace;
  readonly method: Method;
  readonly parameters: Parameters;
  readonly evictAt: number;
  /** Null: as long as USUAL_PAIRS take. */
  readonly budgetMilliseconds: number | null;
  readonly signal: AbortSignal;
  /** The time it is, milliseconds; tests have a clock of their own. */
  readonly now?: () => number;
}

/** Milliseconds of full attention and of the method, one after the other. */
export interface TimedPair {
  readonly full: MeasuredTime;
  readonly method: MeasuredTime;
}

/** Null: three pairs do not fit. Rejects with the signal's reason. */
export async function timePairs(request: TimeRequest): Promise<Omit<TimeMeasurement, 'operations'> | null> {
  const { method, parameters, budgetMilliseconds, now = () => performance.now() } = request;
  const deadline = budgetMilliseconds === null ? Number.POSITIVE_INFINITY : now() + budgetMilliseconds;
  const start = now();
  const pairs: TimedPair[] = [];
  for (let turn = 0; ; turn++) {
    const each = turn === 0 ? 0 : (now() - start) / turn;
    const rest = Math.max(1, FEWEST_PAIRS - pairs.length);
    if (now() + rest * each > deadline) break;
    const isEnough = now() - start > SHORT_MILLISECONDS || pairs.length >= MOST_PAIRS;
    if (pairs.length >= USUAL_PAIRS && isEnough) break;
    const sides = [
      { name: 'full', of: () => attentionTime(request, full, FULL_AS_TRAINED, deadline) },
      { name: 'method', of: () => attentionTime(request, method, parameters, deadline) },
    ] as const;
    const times: { full?: MeasuredTime; method?: MeasuredTime } = {};
    // Whoever comes second finds a warm machine, so they take turns at it.
    for (const { name, of } of turn % 2 === 0 ? sides : [...sides].reverse()) {
      const time = await of();
      if (!time) return summary(pairs);
      times[name] = time;
    }
    if (turn > 0) pairs.push(times as TimedPair);
  }
  return summary(pairs);
}

/**
 * Medians, and the range of the pairs' ratios; null of fewer than three pairs, and where a clock too coarse for so short a step says
 * that one took no time.
 */
export function summary(pairs: readonly TimedPair[]): Omit<TimeMeasurement, 'operations'> | null {
  const isTimed = ({ full, method }: TimedPair): boolean => full.milliseconds > 0 && method.milliseconds > 0;
  if (pairs.length < FEWEST_PAIRS || !pairs.every(isTimed)) return null;
  const ratios = pairs.map(({ full, method }) => full.milliseconds / method.milliseconds);
  const side = (of: (pair: TimedPair) => MeasuredTime): MeasuredTime => ({
    milliseconds: median(pairs.map((pair) => of(pair).milliseconds)),
    clock: of(pairs[0]!).clock,
  });
  return {
    pairs: pairs.length,
    full: side((pair) => pair.full),
    method: side((pair) => pair.method),
    ratio: { median: median(ratios), low: Math.min(...ratios), high: Math.max(...ratios) },
  };
}

/** The prompt's attention step in all layers; null where the deadline has passed meanwhile. */
async function attentionTime(
  { text, evictAt, signal, now = () => performance.now() }: TimeRequest,
  method: Method,
  parameters: Parameters,
  deadline: number,
): Promise<MeasuredTime | null> {
  const { ops, tokens, answerStart, queryHeads: H, headDimension: d, scores } = text;
  const places = { tokens, answerStart, evictAt };
  const blocks = promptBlocks(method, parameters, places, contextOf(text));
  const largest = Math.max(...blocks.map(({ start, end }) => end - start));
  const scratch = new Scratch(ops);
  const traits = method.traits(parameters);
  const run = method.start(methodContext(text, evictAt), parameters);
  try {
    const layers = layersOfMethods(text.layerTraces);
    await run.prepare?.(layers, signal);
    const out = scratch.rows(H, largest, d, 'attention output');
    const logSumExp = scratch.scalars(H, largest, 'block log-sum-exp');
    const unused = traits.wants.logSumExp ? scratch.rows(H, largest, d, 'full attention output') : null;
    const full = unused && scratch.scalars(H, largest, 'full attention log-sum-exp');
    const times: MeasuredTime[] = [];
    for (const layerTrace of layers) {
      const asked: Promise<MeasuredTime>[] = [];
      for (const block of blocks) {
        // Rotating queries and keys belongs to the forward pass: done before the watch starts.
        const here = {
          ...viewsOf(layerInput(layerTrace, block, traits.wants, text.layerTraces, text.answerStart)),
          logSumExp: full,
        };
        const watch = ops.stopwatch();
        const count = block.end - block.start;
        if (unused && full) fullLogSumExp(ops, here, scores, sliceRows(unused, 0, count), full);
        const selection = run.select(here);
        const rows = sliceRows(out, 0, count);
        if (run.attend) run.attend(here, selection, rows, logSumExp);
        else attendSelection(ops, here, selection, scores, rows, logSumExp);
        run.attended?.(here, selection, logSumExp);
        asked.push(watch.stop());
        ops.release(...selection.owned);
        await ops.pace();
        signal.throwIfAborted();
        if (now() > deadline) {
          await Promise.allSettled(asked);
          return null;
        }
      }
      times.push(...(await Promise.all(asked)));
      if (now() > deadline) return null;
    }
    const milliseconds = times.reduce((sum, time) => sum + time.milliseconds, 0);
    return { milliseconds, clock: times[0]?.clock ?? 'wall' };
  } finally {
    run.dispose();
    scratch.release();
  }
}

/** All views of an input, made now. */
function viewsOf(input: LayerInput): LayerInput {
  const { layer, block, query, queryUnrotated, key, keyUnrotated, value, hidden, logSumExp } = input;
  return {
    ...{ layer, block, query, queryUnrotated, key, keyUnrotated, value, hidden, logSumExp },
    queriesBefore: (end) => input.queriesBefore(end),
    prompt: () => input.prompt(),
    inLayer: (other) => input.inLayer(other),
    atBlock: (earlier) => input.atBlock(earlier),
  };
}
