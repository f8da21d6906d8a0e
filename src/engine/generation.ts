/**
 * A free run (docs/measurements.md, "Source, queries, runs"): the decoder reads a text with a method in every layer. The
 * prompt is read in the method's blocks; the answer, if the text has one, is generated greedily, every token its own block of
 * one query, and the true answer is read too, so that both runs of a study have logits on the same tokens. A text without an
 * answer can be continued instead. Full attention is the method `full`; its reading, with queries kept, is what probe runs start from.
 */
import type { MemoryLimits, Ops, RowScalars } from '../../gpu/ops';
import type { DeviceBuffer, Rows } from '../../gpu/rows';
import { matrixRows, sliceRows } from '../../gpu/rows';
import { Scratch } from '../../gpu/scratch';
import { promptBlocks } from '../methods/blocks';
import type {
  LayerInput,
  Method,
  MethodRun,
  PromptRows,
  QueryBlock,
  Selection,
  Traits,
} from '../methods/method';
import { runNotices } from '../methods/method';
import type { Parameters } from '../methods/parameters';
import { promptOf } from '../methods/prompt';
import { ScoreCheck } from '../methods/score-check';
import { hidingWindow, type ModelConfig, ropeOf, scoresOf } from '../model/architectures/config';
import type { Calibration } from '../model/calibration';
import { attendSelection, fullLogSumExp } from '../model/decoder/attend';
import type { AttendRequest, Decoder, DecoderSession } from '../model/decoder/decoder';
import { startSession } from '../model/decoder/decoder';
import { keyValueProjection } from '../model/decoder/project';
import { LONGEST_ANSWER_TOKENS } from '../study/limits';
import type { Rereading } from '../trace/rereading';
import { type LayerTrace, layersOfMethods } from '../trace/trace';
import { AnswerSelections } from './answer-selections';
import { EarlierQueries } from './earlier-queries';
import type { StudyText } from './source';
import { TakenInput } from './taken-input';

/** Tokens by which a text without an answer is continued, as far as the model has positions for them. */
export function continuationTokens(
  { learnedPositions, trainedTokens }: Pick<ModelConfig, 'learnedPositions' | 'trainedTokens'>,
  tokens: number,
): number {
  const most = 32;
  return learnedPositions ? Math.max(0, Math.min(most, trainedTokens - tokens)) : most;
}

/** Tokens that both runs write after the text. */
export function continuationOf(
  { config }: { readonly config: ModelConfig },
  { ids, isContinued }: Pick<StudyText, 'ids' | 'isContinued'>,
): number {
  return isContinued ? continuationTokens(config, ids.length) : 0;
}

export interface GenerationRequest {
  readonly decoder: Decoder;
  readonly method: Method;
  readonly parameters: Parameters;
  readonly calibration: Calibration | null;
  /** The text as full attention saw it, for methods that prepare from it; null where there is no trace. */
  readonly layerTraces: readonly LayerTrace[] | null;
  /** The model that has read it, for methods that read on behind a part of it; none by default. */
  readonly rereading?: Rereading | null;
  /**
   * What full attention has read of the same text: a method that is dense before its eviction takes over what stands before it
   * instead of reading that again. Not by default.
   */
  readonly dense?: DenseReading | null;
  readonly ids: Uint32Array;
  /** First token of the answer: generated from there. Null: the text is read, and continued if that is asked for. */
  readonly answerStart: number | null;
  /** Tokens that are generated after a text without an answer; none by default. */
  readonly continuation?: number;
  readonly queriesStart: number;
  /** Where methods that evict once do so, which may be within the answer; by default at `queriesStart`. */
  readonly evictAt?: number;
  /** Keep queries and log-sum-exp for probe runs. */
  readonly keepQueries: boolean;
  /** Keep hidden states, which the method may not want itself, for probe runs. */
  readonly keepHidden?: boolean;
  /** Layers whose rotated keys are held while it reads; all by default. */
  readonly rotatedLayers?: number;
  /** Keep what was selected for the queries that write the answer; not by default. */
  readonly keepSelections?: boolean;
  /** Whether an answer is complete with the tokens generated so far. */
  readonly isAnswerComplete: (generated: readonly number[]) => boolean;
  readonly signal: AbortSignal;
  readonly onProgress: (tokensRead: number) => void;
}

/** A text that full attention has read, queries kept. */
export interface DenseReading {
  readonly layerTraces: readonly LayerTrace[];
  /** As in `Generation`, of the same queries. */
  readonly queryStates: Float32Array;
}

export interface Generation {
  /** Holds the caches; release it when they are no longer needed. */
  readonly session: DecoderSession;
  /** Hidden states after the last norm at each token of `queries`, [T − queriesStart, D]; logits.ts makes logits of them. */
  readonly queryStates: Float32Array;
  /** Generated token ids; null where nothing was generated. */
  readonly generated: readonly number[] | null;
  /** Null unless they were asked for and something was generated. */
  readonly selections: AnswerSelections | null;
  /** What the method's run had to assume and what it met, one sentence each. */
  readonly notices: readonly string[];
}

/** How a text is read. */
interface PrefillBlocks {
  /** The prompt's first blocks, which are taken over from full attention's reading. */
  readonly taken: readonly QueryBlock[];
  /** Its other blocks, in parts that are read at once. */
  readonly parts: readonly QueryBlock[][];
  readonly largestBlock: number;
  /** Most tokens read at once. */
  readonly mostAtOnce: number;
  /** Tokens that caches need room for. */
  readonly capacity: number;
  readonly evictAt: number;
}

/**
 * How a method reads a text. Where its blocks are small, several are read at once, about as many each time: only attention has to go
 * block by block, and with the rows of one block alone most of a GPU idles.
 */
export function prefillBlocks(
  config: ModelConfig,
  { numbersAtOnce }: Pick<MemoryLimits, 'numbersAtOnce'>,
  request: Pick<
    GenerationRequest,
    'method' | 'parameters' | 'answerStart' | 'queriesStart' | 'evictAt' | 'continuation'
  > & {
    readonly tokens: number;
    /** Whether what is dense is taken over from a reading that is there. */
    readonly takesOver?: boolean;
  },
): PrefillBlocks {
  const { method, parameters, tokens, answerStart, queriesStart, continuation = 0 } = request;
  const evictAt = request.evictAt ?? queriesStart;
  const places = { tokens, evictAt, answerStart };
  const blocks = promptBlocks(method, parameters, places, { ...config, tokens });
  const isTaken = request.takesOver && method.traits(parameters).isDenseBefore;
  // The last token of a text chooses in any case, and what an answer begins with needs the state before it, which only queries have.
  const mostTaken = answerStart !== null && answerStart <= queriesStart ? answerStart - 1 : tokens - 1;
  const denseEnd = isTaken ? Math.min(evictAt, mostTaken) : 0;
  const taken = blocks.filter(({ end }) => end <= denseEnd);
  const isAtOnce = method.traits(parameters).wants.prompt;
  const parts: QueryBlock[][] = [];
  const read = blocks.slice(taken.length);
  const mostTokens = numbersAtOnce / config.hiddenSize;
  const toRead = tokens - (read[0]?.start ?? tokens);
  const evenly = Math.ceil(toRead / Math.max(1, Math.ceil(toRead / mostTokens)));
  const longest = Math.max(1, ...read.map(({ start, end }) => end - start));
  for (const block of read) {
    const part = parts[parts.length - 1];
    const together = block.end - (part ?? [block])[0]!.start;
    const isWithin = isAtOnce || together <= Math.min(evenly + longest - 1, mostTokens);
    if (part && isWithin) part.push(block);
    else parts.push([block]);
  }
  const sizes = blocks.map(({ start, end }) => end - start);
  const largestBlock = Math.max(1, answerStart === null ? 0 : tokens - answerStart, ...sizes);
  return {
    taken,
    parts,
    largestBlock,
    mostAtOnce: Math.max(largestBlock, ...parts.map((part) => part[part.length - 1]!.end - part[0]!.start)),
    capacity:
      answerStart === null ? tokens + continuation : Math.max(tokens, answerStart + LONGEST_ANSWER_TOKENS),
    evictAt,
  };
}

/** Runs a method through a whole text. Throws UserError, or the signal's reason when cancelled. */
export async function generate(request: GenerationRequest): Promise<Generation> {
  const { decoder, ids, queriesStart } = request;
  const { ops, config } = decoder;
  const tokens = ids.length;
  const queryCount = tokens - queriesStart;
  const { taken, parts, largestBlock, mostAtOnce, capacity, evictAt } = prefillBlocks(
    config,
    ops.memoryLimits,
    {
      ...request,
      tokens,
      takesOver: Boolean(request.dense),
    },
  );
  const { keepQueries, rotatedLayers, method, parameters } = request;
  const keepHidden = Boolean(request.keepHidden || method.traits(parameters).wants.hidden);
  const session = startSession(decoder, {
    ...{ capacity, textTokens: tokens, mostAtOnce },
    ...{ keepQueries, keepHidden, rotatedLayers },
  });
  const scratch = new Scratch(ops);
  let run: Run | null = null;
  try {
    const states = scratch.floats(queryCount * config.hiddenSize, 'hidden states of queries');
    const queryStates = matrixRows(states, queryCount, config.hiddenSize);
    run = new Run(request, session, scratch, queryStates, largestBlock, evictAt);
    await run.prepare();
    if (taken.length > 0) await run.takeOver(taken);
    for (const part of parts) await run.readBlocks(part);
    const generated = await run.generate();
    const { selections } = run;
    await run.checkScores();
    const notices = await run.notices();
    return { session, queryStates: await ops.readFloats(states), generated, selections, notices };
  } catch (error) {
    session.release();
    throw error;
  } finally {
    run?.release();
    scratch.release();
  }
}

/** The state of one reading: the method's run and scratch space. */
class Run {
  readonly #ops: Ops;
  readonly #method: MethodRun;
  readonly #check: ScoreCheck;
  readonly #next: DeviceBuffer;
  readonly #nextLogits: Rows;
  readonly #scratchLogSumExp: RowScalars;
  /** Full attention of a block, which what the method then attends to leaves as it is. */
  readonly #full: { readonly output: Rows; readonly logSumExp: RowScalars } | null;
  readonly #traits: Traits;
  readonly #earlier: EarlierQueries | null;
  readonly #evictAt: number;
  /** Where text is generated from; null: nowhere. */
  readonly #generateFrom: number | null;
  readonly selections: AnswerSelections | null;
  #hasGenerated = false;
  readonly #request: GenerationRequest;
  readonly #session: DecoderSession;
  readonly #queryStates: Rows;

  constructor(
    request: GenerationRequest,
    session: DecoderSession,
    scratch: Scratch,
    queryStates: Rows,
    largestBlock: number,
    evictAt: number,
  ) {
    this.#request = request;
    this.#session = session;
    this.#queryStates = queryStates;
    const { decoder, method, parameters, calibration, ids } = request;
    const { ops, config } = decoder;
    this.#ops = ops;
    this.#generateFrom = request.answerStart ?? (request.continuation ? ids.length : null);
    this.selections =
      request.keepSelections && this.#generateFrom !== null
        ? new AnswerSelections(ops, this.#generateFrom - 1, config.queryHeads)
        : null;
    const { queryHeads, headDimension, vocabularySize } = config;
    this.#next = scratch.integers(1, 'next token');
    this.#nextLogits = matrixRows(scratch.floats(vocabularySize, 'next logits'), 1, vocabularySize);
    this.#scratchLogSumExp = scratch.scalars(queryHeads, largestBlock, 'block log-sum-exp');
    const traits = method.traits(parameters);
    this.#traits = traits;
    this.#evictAt = evictAt;
    // Methods that look at full attention's probabilities need its log-sum-exp first, which comes with an output nobody reads.
    this.#full = traits.wants.logSumExp
      ? {
          output: scratch.rows(queryHeads, largestBlock, headDimension, 'full attention output'),
          logSumExp: scratch.scalars(queryHeads, largestBlock, 'full attention log-sum-exp'),
        }
      : null;
    this.#check = new ScoreCheck(ops, config.layers);
    const { queriesBefore } = traits.wants;
    const most = traits.decides === 'once' ? Math.max(1, evictAt) : Number.POSITIVE_INFINITY;
    this.#earlier = queriesBefore ? new EarlierQueries(ops, config, queriesBefore, most) : null;
    const run = method.start(
      {
        ops: this.#check.ops,
        layers: config.layers,
        queryHeads: config.queryHeads,
        keyValueHeads: config.keyValueHeads,
        headDimension: config.headDimension,
        scores: scoresOf(config),
        rotationOf: (layer) => session.rotations.of(layer),
        ropeOf: (layer) => ropeOf(config, layer),
        positionOffset: 0,
        trainedTokens: config.trainedTokens,
        totalTokens: ids.length,
        evictAt,
        promptEnd: request.answerStart ?? ids.length,
        calibration,
        outputWeight: (layer) => decoder.weights.layers[layer]!.output.weight,
        injected: () => null,
        projection: keyValueProjection(ops, config, decoder.weights),
        recorded: request.layerTraces,
        rereading: request.rereading ?? null,
      },
      parameters,
    );
    this.#method = this.#check.watch(run);
  }

  /** What the method has to compute from a text before it can select. */
  async prepare(): Promise<void> {
    const { layerTraces, signal } = this.#request;
    await this.#method.prepare?.(layerTraces && layersOfMethods(layerTraces), signal);
  }

  /**
   * Takes over what full attention has read of the first blocks. The method sees them as if they were read: it looks at each, and
   * what was attended to is told.
   */
  async takeOver(blocks: readonly QueryBlock[]): Promise<void> {
    const { decoder, dense, queriesStart, method, signal, onProgress } = this.#request;
    const { hiddenSize } = decoder.config;
    const { layerTraces, queryStates } = dense!;
    const { end } = blocks[blocks.length - 1]!;
    this.#session.takeOver(layerTraces, end);
    for (const trace of layersOfMethods(layerTraces)) {
      for (const block of blocks) {
        const input = new TakenInput(trace, block, this.#traits.wants, this.#earlier);
        const selection = this.#method.select(input);
        if (selection.list || selection.rangeStart > 0)
          throw new Error(`${method.id} is not dense before token ${end}`);
        this.#method.attended?.(input, selection, input.attended);
        this.#noteQueries(input);
      }
      await this.#ops.pace();
      signal.throwIfAborted();
    }
    const rows = end - queriesStart;
    if (rows > 0) {
      const states = this.#ops.upload(queryStates.subarray(0, rows * hiddenSize), 'hidden states of queries');
      const input = matrixRows(states, rows, hiddenSize);
      this.#ops.copyRows({ input, out: sliceRows(this.#queryStates, 0, rows) });
      if (end === this.#generateFrom) this.#session.logits(sliceRows(input, rows - 1, 1), this.#nextLogits);
      this.#ops.release(states);
    }
    onProgress(end);
  }

  /** Reads the true tokens of blocks that follow one another, and keeps the states of those that are queries. */
  async readBlocks(blocks: readonly QueryBlock[]): Promise<void> {
    const { decoder, ids, queriesStart, signal, onProgress } = this.#request;
    const { start } = blocks[0]!;
    const { end } = blocks[blocks.length - 1]!;
    const hidden = await this.#session.read(ids.subarray(start, end), {
      blockEnds: blocks.map((block) => block.end),
      ...{ attend: (asked) => this.#attend(asked), keyValueMaps: this.#keyValueMaps },
      observe: (layer) => {
        signal.throwIfAborted();
        if (blocks.length > 1)
          onProgress(start + Math.floor((layer / decoder.config.layers) * (end - start)));
      },
    });
    const first = Math.max(start, queriesStart);
    if (first < end) {
      const out = sliceRows(this.#queryStates, first - queriesStart, end - first);
      this.#ops.copyRows({ input: sliceRows(hidden, first - start, end - first), out });
    }
    if (end === this.#generateFrom && !this.#hasGenerated)
      this.#session.logits(sliceRows(hidden, end - start - 1, 1), this.#nextLogits);
    onProgress(end);
    await this.#ops.pace();
    signal.throwIfAborted();
  }

  /**
   * Generates the answer or continuation, then sees to it that the caches and states are those of the true text. Null where nothing
   * is generated.
   */
  async generate(): Promise<number[] | null> {
    const from = this.#generateFrom;
    if (from === null) return null;
    const { ids, queriesStart, signal } = this.#request;
    this.#method.mark();
    this.#earlier?.mark();
    const generated: number[] = [];
    let agreed = 0;
    for (;;) {
      signal.throwIfAborted();
      this.#ops.argmax({ input: this.#nextLogits, out: this.#next, outOffset: 0 });
      const [[token]] = await Promise.all([this.#ops.readIntegers(this.#next), this.selections?.read()]);
      generated.push(token!);
      if (this.#isComplete(generated)) break;
      const place = this.#session.length;
      const hidden = await this.#session.read(Uint32Array.of(token!), {
        ...{ attend: (asked) => this.#attend(asked), keyValueMaps: this.#keyValueMaps },
      });
      this.#session.logits(hidden, this.#nextLogits);
      if (agreed === place - from && token === ids[place]) {
        agreed++;
        if (place >= queriesStart) {
          this.#ops.copyRows({ input: hidden, out: sliceRows(this.#queryStates, place - queriesStart, 1) });
        }
      }
    }
    this.#hasGenerated = true;
    if (this.#session.length !== from + agreed) {
      this.#session.rewind(from);
      this.#method.rewind();
      this.#earlier?.rewind();
    }
    if (this.#traits.decides === 'never') {
      if (this.#session.length < ids.length) {
        await this.readBlocks([{ start: this.#session.length, end: ids.length }]);
      }
    } else {
      while (this.#session.length < ids.length)
        await this.readBlocks([{ start: this.#session.length, end: this.#session.length + 1 }]);
    }
    return generated;
  }

  get #keyValueMaps() {
    return this.#method.keyValueMaps ? (layer: number) => this.#method.keyValueMaps!(layer) : null;
  }

  #isComplete(generated: readonly number[]): boolean {
    const { decoder, answerStart, continuation, isAnswerComplete } = this.#request;
    if (decoder.config.eosTokens.includes(generated[generated.length - 1]!)) return true;
    if (answerStart === null) return generated.length >= continuation!;
    return generated.length >= LONGEST_ANSWER_TOKENS || isAnswerComplete(generated);
  }

  /** Throws UserError where the method chose by scores that are not finite. */
  checkScores(): Promise<void> {
    return this.#check.verdict(this.#request.method.id);
  }

  notices(): Promise<readonly string[]> {
    return runNotices(this.#method);
  }

  release(): void {
    this.selections?.release();
    this.#method.dispose();
    this.#earlier?.release();
    this.#check.release();
  }

  /** Keeps a block's queries for those that look at earlier ones. */
  #noteQueries(input: LayerInput): void {
    const { layer, block } = input;
    // Who decides once has looked at them by then.
    if (!this.#earlier || (this.#traits.decides === 'once' && block.end > this.#evictAt)) return;
    const query = this.#traits.wants.earlierUnrotated ? input.queryUnrotated! : input.query;
    this.#earlier.note(layer, query, block.end);
  }

  /** The prompt, where it is read at once. */
  #promptOf({ start, read }: AttendRequest): PromptRows | null {
    const end = this.#request.answerStart ?? this.#request.ids.length;
    return this.#traits.wants.prompt && start < end ? promptOf(read, end) : null;
  }

  /** A layer that sees a window by itself, which no method changes. */
  #attendWindow(asked: AttendRequest, input: LayerInput, kept: RowScalars): void {
    const { layer, end, window } = asked;
    const all = { list: null, rangeStart: 0 };
    attendSelection(
      this.#ops,
      { ...input, window },
      all,
      scoresOf(this.#request.decoder.config),
      asked.out,
      kept,
    );
    if (!this.selections || this.#hasGenerated || end < this.#generateFrom!) return;
    const nothing = { score: null, tiedAtCut: null, owned: [], candidates: { start: 0, end: 0 } };
    this.selections.note(layer, { ...nothing, list: null, rangeStart: Math.max(0, end - window!) });
  }

  #attend(asked: AttendRequest): void {
    const { decoder } = this.#request;
    const { start, end } = asked;
    const kept: RowScalars = asked.logSumExp
      ? { ...asked.logSumExp, offset: asked.logSumExp.offset + start }
      : this.#scratchLogSumExp;
    const input: LayerInput = {
      ...asked,
      block: { start, end },
      logSumExp: this.#full?.logSumExp ?? null,
      queriesBefore: (before) => this.#earlier?.before(asked.layer, before) ?? null,
      prompt: () => this.#promptOf(asked),
      // Layers below have had their turn.
      inLayer: () => null,
      atBlock: () => null,
    };
    const scores = scoresOf(decoder.config);
    if (hidingWindow(decoder.config, asked.layer, this.#request.ids.length) !== undefined) {
      this.#attendWindow(asked, input, kept);
      return;
    }
    if (this.#full) {
      const { output, logSumExp } = this.#full;
      fullLogSumExp(this.#ops, input, scores, sliceRows(output, 0, end - start), logSumExp);
    }
    const selection: Selection = this.#method.select(input);
    if (this.#method.attend) this.#method.attend(input, selection, asked.out, kept);
    else attendSelection(this.#ops, input, selection, scores, asked.out, kept);
    this.#method.attended?.(input, selection, kept);
    this.#noteQueries(input);
    const writes = this.selections && !this.#hasGenerated && end >= this.#generateFrom!;
    if (writes) this.selections!.note(asked.layer, selection);
    const held = writes ? selection.list?.buffer : undefined;
    this.#ops.release(...selection.owned.filter((buffer) => buffer !== held));
  }
}
