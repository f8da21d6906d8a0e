/** A probe run: what a method keeps and loses in every layer when each sees full attention's queries, keys and values. */
import { ignoreRejection } from '../base/ignore-rejection';
import type { Method, Selection } from '../methods/method';
import { runNotices } from '../methods/method';
import type { Parameters } from '../methods/parameters';
import { hasWindow, type LayerTrace, layersOfMethods, type Trace } from '../trace/trace';
import { choose, isSameChoice } from './choices';
import { checkMeasurement } from './finite';
import { type MeasuredRun, measurePart } from './layer-blocks';
import { measureRows, measuresRows, rowShape } from './layer-rows';
import { LayerSums } from './layer-sums';
import { noRecallReason } from './made-cache';
import { MEMO_BYTES, type Memo } from './memo';
import type { LayerMeasurement } from './results';
import type { KeptKeys } from './selection-reader';
import { selectorRecall, selectorRecallOfEach } from './selector-recall';
import { takenOf } from './taken';
import { countedQueries, overlap, startTraceRun, type TokenRange, type TraceRun } from './trace-run';
import { measureWindowLayer } from './window-layers';

export interface MeasureRequest {
  readonly text: Trace;
  readonly method: Method;
  readonly parameters: Parameters;
  /** What is measured; methods that evict once do so at its start. */
  readonly queries: TokenRange;
  /** The layers that are measured; all by default. Others can still be looked at. */
  readonly layers?: readonly number[];
  /** The layer to measure first; the others follow in their order. */
  readonly firstLayer?: number;
  readonly memo?: Memo;
  readonly signal?: AbortSignal;
  readonly onLayer?: (measurement: LayerMeasurement) => void;
  /** Sentences about what the run had to assume. */
  readonly onNotices?: (notices: readonly string[]) => void;
}

/** Most attention probabilities held at once: heads × queries × keys. */
export const MOST_PROBABILITIES = 2 ** 22;
/** Most that numbers being read back may take on the device. */
export const MOST_BYTES_IN_FLIGHT = 2 ** 26;
/** Most query rows × heads whose numbers are read back at once. */
const MOST_ROWS_IN_FLIGHT = 2 ** 14;

/** Measures every layer of a trace, in their order. Throws UserError for input the method cannot work with, or the signal's reason. */
export async function measureLayers(asked: MeasureRequest): Promise<LayerMeasurement[]> {
  const { text, method, parameters, memo, signal, onLayer, onNotices } = asked;
  const layers = text.layerTraces.filter(({ layer }) => asked.layers?.includes(layer) ?? true);
  signal?.throwIfAborted();
  const queries = countedQueries(method.traits(parameters), asked.queries, text.answerStart);
  const request = { ...asked, queries };
  const measured = new Map<number, LayerMeasurement>();
  for (const layerTrace of layers.filter(hasWindow)) {
    const isProjected = text.outputWeight(layerTrace.layer) !== null;
    const measurement = measureWindowLayer(layerTrace, queries, isProjected);
    measured.set(measurement.layer, measurement);
    onLayer?.(measurement);
  }
  const chosen = layersOfMethods(layers);
  const started = await startTraceRun(text, method, parameters, queries.start, {
    ...{ memo, signal, layers: chosen },
  });
  try {
    for (const batch of batches(request, chosen)) {
      for (const measurement of await probeLayers(request, started, batch)) {
        measured.set(measurement.layer, measurement);
        onLayer?.(measurement);
      }
      started.memo.renew();
    }
    const all = await runNotices(started.run);
    if (all.length > 0) onNotices?.(all);
    return layers.map(({ layer }) => measured.get(layer) as LayerMeasurement);
  } finally {
    started.dispose();
  }
}

/**
 * Layers that are measured together. On a GPU it is waiting that costs: all layers share two waits. Where nothing is waited for,
 * one layer after the other shows results earlier; where keys and values are made anew it holds those of one.
 */
function batches(
  { text: { ops }, method, parameters, firstLayer }: MeasureRequest,
  layerTraces: readonly LayerTrace[],
): LayerTrace[][] {
  const isFirst = ({ layer }: LayerTrace): boolean => layer === firstLayer;
  const ordered = [...layerTraces.filter(isFirst), ...layerTraces.filter((layer) => !isFirst(layer))];
  const isOneByOne = method.traits(parameters).cache === 'transformed';
  return ops.backend === 'cpu' || ops.isSoftware || isOneByOne ? ordered.map((layer) => [layer]) : [ordered];
}

/** A block's choice in one layer, being read back. */
interface Choice {
  readonly layerTrace: LayerTrace;
  readonly sums: LayerSums;
  /** The block's queries that are measured, and those of later blocks that keep the same. */
  measured: TokenRange;
  readonly selection: Selection;
  readonly kept: Promise<KeptKeys>;
  readonly selector: ReturnType<typeof selectorRecall>;
}

async function probeLayers(
  request: MeasureRequest,
  started: TraceRun,
  layers: readonly LayerTrace[],
): Promise<LayerMeasurement[]> {
  const { text, method, queries, signal } = request;
  const { ops, queryHeads } = text;
  const noRecall = noRecallReason(method, request.parameters);
  const results = layers.map((layerTrace) => ({ layerTrace, sums: new LayerSums(queryHeads, noRecall) }));
  const choices: Choice[] = [];
  let heldBytes = ops.memory().bytes;
  try {
    for (const { layerTrace, sums } of results) {
      // Only methods that change their cache while they read have to see the blocks before.
      const isAsked = (block: TokenRange): boolean =>
        overlap(block, queries) !== null ||
        (started.traits.decides === 'whileReading' && block.start < queries.end);
      const blocks = started.blocks.filter(isAsked);
      for (const made of choose(started, layerTrace, blocks, signal)) {
        const { taken, others, kept: keptOf } = takenOf(ops, made, (block) => overlap(block, queries));
        // Only methods have it whose passes are taken whole.
        const selectors = made.inOnePass
          ? ignoreRejection(
              selectorRecallOfEach(
                ops,
                started.run,
                made.input,
                taken.map((_, i) => keptOf(i)),
              ),
            )
          : null;
        for (const [place, { selection, measured }] of taken.entries()) {
          const last = choices.at(-1);
          if (last && canFollow(started, last, { layerTrace, selection })) {
            last.measured = { start: last.measured.start, end: measured.end };
            continue;
          }
          const kept = keptOf(place);
          const selector = selectors
            ? selectors.then((ofEach) => ofEach[place]!)
            : selectorRecall(ops, started.run, made.input, kept, measured);
          choices.push({ layerTrace, sums, measured, selection, kept, selector: ignoreRejection(selector) });
        }
        for (const { owned } of others) ops.release(...owned);
        if (ops.memory().bytes - heldBytes > MOST_BYTES_IN_FLIGHT) {
          await Promise.allSettled(choices.flatMap((choice) => [choice.kept, choice.selector]));
          heldBytes = ops.memory().bytes;
        }
        await ops.pace();
      }
    }
    // Both to their end: what is measured is still read when the check fails.
    const outcomes = await Promise.allSettled([
      started.checkScores(),
      measureChoices(request, started, choices),
    ]);
    for (const outcome of outcomes) if (outcome.status === 'rejected') throw outcome.reason;
  } finally {
    for (const { selection } of choices) ops.release(...selection.owned);
  }
  signal?.throwIfAborted();
  return results.map(({ layerTrace, sums }) => {
    const spectra = started.run.spectra?.(layerTrace.layer);
    const patterns = started.run.patterns?.(layerTrace.layer);
    const measurement = {
      ...sums.result(layerTrace.layer),
      ...(spectra && { spectra }),
      ...(patterns && { patterns }),
    };
    checkMeasurement(method.id, measurement);
    return measurement;
  });
}

/** Whether the next block keeps what the last one kept; nothing approximate is compared within either. */
function canFollow(
  { run }: TraceRun,
  last: Choice,
  next: { readonly layerTrace: LayerTrace; readonly selection: Selection },
): boolean {
  return (
    last.layerTrace === next.layerTrace && !run.selectExactly && isSameChoice(last.selection, next.selection)
  );
}

async function measureChoices(
  { text, method, queries, signal }: MeasureRequest,
  { run, traits, memo, inputOf, fullInputOf }: TraceRun,
  choices: readonly Choice[],
): Promise<void> {
  const { ops, queryHeads, headDimension } = text;
  const projection = text.outputWeight(text.layerTraces[0]!.layer)?.rows ?? 0;
  const numbersOfQuery = (queryHeads * headDimension + projection) * text.layerTraces.length;
  const numbers = (queries.end - queries.start) * numbersOfQuery;
  const measuredRun: MeasuredRun = {
    methodId: method.id,
    run,
    cache: traits.cache,
    positions: traits.positions,
    asRun: run.keyValueMaps
      ? ({ layer, block }) =>
          inputOf(text.layerTraces.find((layerTrace) => layerTrace.layer === layer)!, block)
      : null,
    // Full attention's output must not crowd out the scores.
    memo: 8 * numbers <= MEMO_BYTES ? memo : null,
  };
  let rowsInFlight = 0;
  let heldBytes = ops.memory().bytes;
  const inFlight: { sums: LayerSums; add: ReturnType<typeof measurePart> }[] = [];
  const arrive = async (): Promise<void> => {
    const adds = await Promise.all(inFlight.map(({ add }) => add));
    // In the order of the text, which sums of floats depend on.
    inFlight.splice(0).forEach(({ sums }, i) => {
      adds[i]!(sums);
    });
    rowsInFlight = 0;
    heldBytes = ops.memory().bytes;
  };
  const record = async (
    sums: LayerSums,
    rows: number,
    add: ReturnType<typeof measurePart>,
  ): Promise<void> => {
    inFlight.push({ sums, add: ignoreRejection(add) });
    rowsInFlight += queryHeads * rows;
    const bytesInFlight = ops.memory().bytes - heldBytes;
    if (rowsInFlight > MOST_ROWS_IN_FLIGHT || bytesInFlight > MOST_BYTES_IN_FLIGHT) await arrive();
    await ops.pace();
    signal?.throwIfAborted();
  };
  const rowsAtOnce = (end: number): number =>
    Math.max(1, Math.floor(MOST_PROBABILITIES / (queryHeads * end)));
  const isRagged = !run.attend;
  // Queries that each keep keys of their own and are measured together.
  let each: {
    readonly layerTrace: LayerTrace;
    readonly sums: LayerSums;
    start: number;
    kept: KeptKeys[];
  } | null = null;
  const measureEach = async (): Promise<void> => {
    if (!each) return;
    const { layerTrace, sums, start, kept } = each;
    each = null;
    const part = fullInputOf(layerTrace, { start, end: start + kept.length });
    await record(sums, kept.length, measureRows(text, measuredRun, part, kept));
  };
  for (const { layerTrace, sums, measured, selection, ...promised } of choices) {
    const [kept, selector] = await Promise.all([promised.kept, promised.selector]);
    sums.addKept(kept, measured.start, measured.end);
    sums.addSelector(selector, measured.end - measured.start);
    const shape = measuresRows(measuredRun) ? rowShape(kept, measured, isRagged) : null;
    if (each) {
      const follows: boolean =
        each.layerTrace === layerTrace && each.start + each.kept.length === measured.start;
      const last = rowShape(each.kept.at(-1)!, { start: measured.start - 1, end: measured.start }, isRagged);
      const isNearAlike = run.isRangeFixed
        ? kept.rangeStart === each.kept[0]!.rangeStart
        : shape?.near === last?.near;
      const isAlike = shape && (isRagged || (shape.listed === last?.listed && isNearAlike));
      if (follows && isAlike && each.kept.length < rowsAtOnce(measured.end)) {
        each.kept.push(kept);
        continue;
      }
      await measureEach();
    }
    if (shape) {
      each = { layerTrace, sums, start: measured.start, kept: [kept] };
      continue;
    }
    const rows = rowsAtOnce(measured.end);
    for (let start = measured.start; start < measured.end; start += rows) {
      const part = fullInputOf(layerTrace, { start, end: Math.min(measured.end, start + rows) });
      await record(sums, part.block.end - start, measurePart(text, measuredRun, part, selection, kept));
    }
  }
  await measureEach();
  await arrive();
}
