/** A method run on a trace (teacher-forced, layer by layer): every layer sees the true queries, keys and values. */
import type { RowScalars } from '../../gpu/ops';
import type { Rows } from '../../gpu/rows';
import { sliceRows } from '../../gpu/rows';
import { UserError } from '../base/user-error';
import { studyBlocks } from '../methods/blocks';
import {
  type LayerInput,
  type Method,
  type MethodContext,
  type MethodRun,
  needsHidden,
  type PromptRows,
  type QueryBlock,
  type Traits,
  type Wants,
} from '../methods/method';
import { methodKey } from '../methods/method-spec';
import type { ParameterContext, Parameters } from '../methods/parameters';
import { promptOf } from '../methods/prompt';
import { ScoreCheck } from '../methods/score-check';
import { type LayerTrace, layersOfMethods, type Trace } from '../trace/trace';
import { madeAnew } from './made-anew';
import { Memo, type MemoLease } from './memo';

/** A range of tokens. */
export interface TokenRange {
  readonly start: number;
  readonly end: number;
}

export interface TraceRun {
  readonly run: MethodRun;
  readonly traits: Traits;
  /** One layer at a block, as this run wants to see it. */
  inputOf(layerTrace: LayerTrace, block: QueryBlock): LayerInput;
  /** The same with the keys and values of full attention, where the run makes its own. */
  fullInputOf(layerTrace: LayerTrace, block: QueryBlock): LayerInput;
  /** Blocks of the whole text, the answer's tokens one by one. */
  readonly blocks: readonly QueryBlock[];
  /** What the run and its measurements remember; renewed whenever nothing that came from it is needed any more. */
  readonly memo: MemoLease;
  /** Throws UserError, which names the layer, where scores that were made so far are not finite. */
  checkScores(): Promise<void>;
  dispose(): void;
}

export interface TraceRunOptions {
  /** The open text's; a run without one remembers for itself. */
  readonly memo?: Memo;
  readonly signal?: AbortSignal;
  /** The layers that are asked about; all by default. Others can still be looked at. */
  readonly layers?: readonly LayerTrace[];
}

/**
 * Starts and prepares a run, which evicts at `evictAt`. Throws UserError when the text lacks what the method needs. Dispose of it
 * afterwards.
 */
export async function startTraceRun(
  text: Trace,
  method: Method,
  parameters: Parameters,
  evictAt: number,
  { memo: shared, signal, layers: asked = text.layerTraces }: TraceRunOptions = {},
): Promise<TraceRun> {
  const context = contextOf(text);
  const whole = shared ?? new Memo();
  const memo = whole.lease();
  const { tokens, answerStart } = text;
  const places = { tokens, answerStart, evictAt };
  const check = new ScoreCheck(text.ops, text.layers);
  const own = { ...methodContext(text, evictAt), ops: check.ops, memo };
  const run = check.watch(method.start(own, parameters));
  const checkScores = (): Promise<void> => whole.judge(method.id, check);
  const dispose = (): void => {
    run.dispose();
    whole.takeCheck(method.id, check);
    memo.end();
    if (!shared) whole.close();
  };
  const traits = method.traits(parameters);
  const without = needsHidden(method, parameters) ? asked.find(({ hidden }) => !hidden) : undefined;
  if (without) {
    dispose();
    throw new UserError(
      `${method.id} needs the hidden states that keys and values are made from, which layer ${without.layer} of this source lacks; a capture has none, so choose another method or run the model.`,
    );
  }
  const needsUnrotated = traits.wants.unrotated || traits.positions === 'cache';
  const lacking = asked.find(({ queryUnrotated, keyUnrotated }) => !queryUnrotated || !keyUnrotated);
  if (needsUnrotated && lacking) {
    dispose();
    throw new UserError(
      `${method.id} needs queries and keys before rotation, which layer ${lacking.layer} of this capture lacks; choose another method or original positions.`,
    );
  }
  try {
    await run.prepare?.(layersOfMethods(asked), signal);
  } catch (error) {
    dispose();
    throw error;
  }
  const blocks = studyBlocks(method, parameters, places, context);
  const fullInputOf = (layerTrace: LayerTrace, block: QueryBlock): LayerInput =>
    layerInput(layerTrace, block, traits.wants, text.layerTraces, answerStart);
  const name = methodKey({ id: method.id, parameters });
  const inputOf = (layerTrace: LayerTrace, block: QueryBlock): LayerInput =>
    run.keyValueMaps
      ? layerInput(
          madeAnew(text, layerTrace, run.keyValueMaps(layerTrace.layer), memo, name),
          block,
          traits.wants,
          text.layerTraces,
          answerStart,
        )
      : fullInputOf(layerTrace, block);
  return { run, traits, inputOf, fullInputOf, blocks, memo, checkScores, dispose };
}

/** What a run over the text gets to know, without a memo. */
export function methodContext(text: Trace, evictAt: number): MethodContext {
  const { ops, layers, queryHeads, keyValueHeads, headDimension, scores } = text;
  const { positionOffset, trainedTokens, calibration, projection } = text;
  return {
    ops,
    layers,
    queryHeads,
    keyValueHeads,
    headDimension,
    scores,
    rotationOf: (layer) => text.rotationOf(layer),
    ropeOf: (layer) => text.ropeOf(layer),
    positionOffset,
    trainedTokens,
    totalTokens: text.tokens,
    evictAt,
    promptEnd: text.answerStart ?? text.tokens,
    calibration,
    outputWeight: text.outputWeight,
    injected: text.injected,
    projection,
    recorded: text.layerTraces,
    rereading: text.rereading,
  };
}

/** What parameters of this text depend on. */
export function contextOf(text: Pick<Trace, keyof ParameterContext>): ParameterContext {
  const { tokens, trainedTokens, layers, queryHeads, keyValueHeads, headDimension } = text;
  return { tokens, trainedTokens, layers, queryHeads, keyValueHeads, headDimension };
}

/** One layer of a trace at a block, as a method sees it that wants `wants` and looks at the layers of `layerTraces`. */
export function layerInput(
  layerTrace: LayerTrace,
  block: QueryBlock,
  wants: Wants = {},
  layerTraces: readonly LayerTrace[] = [],
  answerStart: number | null = null,
): LayerInput {
  return new TraceInput(layerTrace, block, wants, layerTraces, answerStart);
}

/** Views are made when read, for a sweep asks for thousands of inputs and reads little of each. Spreading one loses its getters. */
class TraceInput implements LayerInput {
  readonly layer: number;
  readonly block: QueryBlock;
  readonly #layerTrace: LayerTrace;
  readonly #wants: Wants;
  readonly #layerTraces: readonly LayerTrace[];
  readonly #answerStart: number | null;

  constructor(
    layerTrace: LayerTrace,
    block: QueryBlock,
    wants: Wants,
    layerTraces: readonly LayerTrace[],
    answerStart: number | null,
  ) {
    this.#answerStart = answerStart;
    this.#wants = wants;
    this.#layerTraces = layerTraces;
    this.layer = layerTrace.layer;
    this.block = block;
    this.#layerTrace = layerTrace;
  }

  get query(): Rows {
    return this.#ofBlock(this.#layerTrace.query);
  }

  get queryUnrotated(): Rows | null {
    const { queryUnrotated } = this.#layerTrace;
    return queryUnrotated && this.#ofBlock(queryUnrotated);
  }

  get key(): Rows {
    return this.#upToBlock(this.#layerTrace.key);
  }

  get keyUnrotated(): Rows | null {
    const { keyUnrotated } = this.#layerTrace;
    return keyUnrotated && this.#upToBlock(keyUnrotated);
  }

  get value(): Rows {
    return this.#upToBlock(this.#layerTrace.value);
  }

  get hidden(): Rows | null {
    const { hidden } = this.#layerTrace;
    return this.#wants.hidden && hidden ? this.#upToBlock(hidden) : null;
  }

  get logSumExp(): RowScalars {
    const { buffer, offset, headStride } = this.#layerTrace.logSumExp;
    return { buffer, offset: offset + this.block.start, headStride };
  }

  queriesBefore(end: number): Rows | null {
    const wanted = this.#wants.queriesBefore ?? 0;
    if (wanted === 0) return null;
    const count = Math.min(wanted, end);
    const { query, queryUnrotated } = this.#layerTrace;
    return sliceRows(this.#wants.earlierUnrotated ? queryUnrotated! : query, end - count, count);
  }

  prompt(): PromptRows | null {
    const { query, key, value } = this.#layerTrace;
    const end = this.#answerStart ?? query.rows;
    return this.#wants.prompt && this.block.start < end ? promptOf({ query, key, value }, end) : null;
  }

  inLayer(layer: number): LayerInput | null {
    const other = this.#layerTraces.find((trace) => trace.layer === layer);
    return other
      ? new TraceInput(other, this.block, this.#wants, this.#layerTraces, this.#answerStart)
      : null;
  }

  atBlock(block: QueryBlock): LayerInput {
    return new TraceInput(this.#layerTrace, block, this.#wants, this.#layerTraces, this.#answerStart);
  }

  #ofBlock(view: Rows): Rows {
    return sliceRows(view, this.block.start, this.block.end - this.block.start);
  }

  #upToBlock(view: Rows): Rows {
    return sliceRows(view, 0, this.block.end);
  }
}

/** Of `queries` those that numbers are means over: the prompt's, where the method reads what follows it densely and there are any. */
export function countedQueries(
  { isPrefillOnly }: Traits,
  { start, end }: TokenRange,
  answerStart: number | null,
): TokenRange {
  const promptEnd = answerStart ?? end;
  return isPrefillOnly && start < promptEnd ? { start, end: Math.min(end, promptEnd) } : { start, end };
}

/** The part of `range` inside `block`; null when there is none. */
export function overlap(block: TokenRange, range: TokenRange): TokenRange | null {
  const start = Math.max(block.start, range.start);
  const end = Math.min(block.end, range.end);
  return start < end ? { start, end } : null;
}
