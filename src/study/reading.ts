/**
 * A free run (docs/measurements.md, "Source, queries, runs"): the decoder reads a text with a method in every layer. The
 * prompt is read in the method's blocks; the answer, if the text has one, is generated greedily, every token its own block of
 * one query, and the true answer is read too, so that both runs of a study have logits on the same tokens. Full attention is
 * the method `full`; its reading, with queries kept, is what probe runs start from.
 */
import type { MeasuredTime, Ops, RowScalars } from '../../gpu/ops';
import type { DeviceBuffer, Rows } from '../../gpu/rows';
import { matrixRows, sliceRows } from '../../gpu/rows';
import { Scratch } from '../measure/scratch';
import { evictionPlace, promptBlocks } from '../methods/blocks';
import type { LayerInput, Method, MethodRun, QueryBlock, Selection } from '../methods/method';
import type { Parameters } from '../methods/parameters';
import type { Calibration } from '../model/calibration';
import type { ModelConfig } from '../model/config';
import type { AttendRequest, Decoder, Reader } from '../model/decoder';
import { createReader } from '../model/decoder';
import { attendSelection, fullLogSumExp } from './attend';
import type { RecordedLayer } from './recorded';

/** Longest answer that is generated; what ends one earlier is in docs/measurements.md, "Source, queries, runs". */
export const LONGEST_ANSWER_TOKENS = 64;

export interface ReadingRequest {
  readonly decoder: Decoder;
  readonly method: Method;
  readonly parameters: Parameters;
  readonly calibration: Calibration | null;
  /** The text as full attention saw it, for methods that prepare from it; null where nothing was recorded. */
  readonly recorded: readonly RecordedLayer[] | null;
  readonly ids: Uint32Array;
  /** First token of the answer: generated from there. Null: the text is only read. */
  readonly answerStart: number | null;
  readonly queriesStart: number;
  /** Keep queries and log-sum-exp for probe runs. */
  readonly keepQueries: boolean;
  /** Layers whose rotated keys are held while it reads; all unless told. */
  readonly rotatedLayers?: number;
  /** Measure the attention step; costs a pass boundary per layer and block. */
  readonly timed: boolean;
  /** Whether an answer is complete with the tokens generated so far. */
  readonly isAnswerComplete: (generated: readonly number[]) => boolean;
  readonly signal: AbortSignal;
  readonly onProgress: (tokensRead: number) => void;
}

export interface Reading {
  /** Holds the caches; release it when they are no longer needed. */
  readonly reader: Reader;
  /** Hidden states after the last norm at each token of `queries`, [T − queriesStart, D]; logits.ts makes logits of them. */
  readonly queryStates: Float32Array;
  /** Generated token ids; null without an answer. */
  readonly generated: readonly number[] | null;
  /** The attention step, selection included, of the prompt, all layers. Null when not timed. */
  readonly attentionTime: MeasuredTime | null;
}

/**
 * Numbers of hidden states that are read at once where a method's blocks are smaller: only attention has to go block by block,
 * and with the rows of one block alone most of a GPU idles.
 */
const NUMBERS_AT_ONCE = 2 ** 19;

/**
 * How a text is read: the prompt's blocks in parts that are read at once, the largest block of all, the most tokens read at once,
 * the tokens that caches need room for.
 */
export function readingBlocks(
  config: ModelConfig,
  request: Pick<ReadingRequest, 'method' | 'parameters' | 'answerStart' | 'queriesStart'> & {
    readonly tokens: number;
  },
): { parts: QueryBlock[][]; largestBlock: number; mostAtOnce: number; capacity: number; evictAt: number } {
  const { method, parameters, tokens, answerStart, queriesStart } = request;
  const places = { tokens, evictAt: queriesStart, answerStart };
  const blocks = promptBlocks(method, parameters, places, { ...config, tokens });
  const parts: QueryBlock[][] = [];
  for (const block of blocks) {
    const part = parts[parts.length - 1];
    if (part && (block.end - part[0].start) * config.hiddenSize <= NUMBERS_AT_ONCE) part.push(block);
    else parts.push([block]);
  }
  const sizes = blocks.map(({ start, end }) => end - start);
  const largestBlock = Math.max(1, answerStart === null ? 0 : tokens - answerStart, ...sizes);
  return {
    parts,
    largestBlock,
    mostAtOnce: Math.max(largestBlock, ...parts.map((part) => part[part.length - 1].end - part[0].start)),
    capacity: answerStart === null ? tokens : Math.max(tokens, answerStart + LONGEST_ANSWER_TOKENS),
    evictAt: evictionPlace(places),
  };
}

/** Runs a method through a whole text. Throws UserError, or the signal's reason when cancelled. */
export async function readText(request: ReadingRequest): Promise<Reading> {
  const { decoder, ids, answerStart, queriesStart } = request;
  const { ops, config } = decoder;
  const tokens = ids.length;
  const queryCount = tokens - queriesStart;
  const { parts, largestBlock, mostAtOnce, capacity, evictAt } = readingBlocks(config, {
    ...request,
    tokens,
  });
  const { keepQueries, rotatedLayers } = request;
  const reader = createReader(decoder, { capacity, mostAtOnce, keepQueries, rotatedLayers });
  const scratch = new Scratch(ops);
  let run: Run | null = null;
  try {
    const states = scratch.floats(queryCount * config.hiddenSize, 'hidden states of queries');
    const queryStates = matrixRows(states, queryCount, config.hiddenSize);
    run = new Run(request, reader, scratch, queryStates, largestBlock, evictAt);
    await run.prepare();
    for (const part of parts) await run.readBlocks(part);
    const attentionTime = await run.stopTiming();
    const generated = answerStart === null ? null : await run.answer(answerStart);
    return { reader, queryStates: await ops.readFloats(states), generated, attentionTime };
  } catch (error) {
    reader.release();
    throw error;
  } finally {
    run?.release();
    scratch.release();
  }
}

/** The state of one reading: the method's run, scratch space and clocks. */
class Run {
  private readonly ops: Ops;
  private readonly method: MethodRun;
  private readonly next: DeviceBuffer;
  private readonly nextLogits: Rows;
  private readonly scratchLogSumExp: RowScalars;
  private readonly unused: Rows | null;
  private readonly times: Promise<MeasuredTime>[] = [];
  private timing: boolean;
  private readonly request: ReadingRequest;
  private readonly reader: Reader;
  private readonly queryStates: Rows;

  constructor(
    request: ReadingRequest,
    reader: Reader,
    scratch: Scratch,
    queryStates: Rows,
    largestBlock: number,
    evictAt: number,
  ) {
    this.request = request;
    this.reader = reader;
    this.queryStates = queryStates;
    const { decoder, method, parameters, calibration, ids } = request;
    const { ops, config } = decoder;
    this.ops = ops;
    this.timing = request.timed;
    const { queryHeads, headDimension, vocabularySize } = config;
    this.next = scratch.integers(1, 'next token');
    this.nextLogits = matrixRows(scratch.floats(vocabularySize, 'next logits'), 1, vocabularySize);
    this.scratchLogSumExp = scratch.scalars(queryHeads, largestBlock, 'block log-sum-exp');
    // Methods that look at full attention's weights need its log-sum-exp first, which comes with an output nobody reads.
    this.unused = method.needs.fullAttention
      ? scratch.rows(queryHeads, largestBlock, headDimension, 'full attention output')
      : null;
    this.method = method.start(
      {
        ops,
        layers: config.layers,
        queryHeads: config.queryHeads,
        keyValueHeads: config.keyValueHeads,
        headDimension: config.headDimension,
        attentionScale: config.attentionScale,
        rotation: reader.rotation,
        positionOffset: 0,
        trainedTokens: config.trainedTokens,
        totalTokens: ids.length,
        evictAt,
        calibration,
      },
      parameters,
    );
  }

  /** What the method has to compute from a text before it can select. */
  async prepare(): Promise<void> {
    await this.method.prepare?.(this.request.recorded);
  }

  /** Reads the true tokens of blocks that follow one another, and keeps the states of those that are queries. */
  async readBlocks(blocks: readonly QueryBlock[]): Promise<void> {
    const { decoder, ids, queriesStart, signal, onProgress } = this.request;
    const [{ start }, { end }] = [blocks[0], blocks[blocks.length - 1]];
    const hidden = await this.reader.read(ids.subarray(start, end), {
      blockEnds: blocks.map((block) => block.end),
      attend: (asked) => this.attend(asked),
      observe: (layer) => {
        signal.throwIfAborted();
        if (blocks.length > 1)
          onProgress(start + Math.floor((layer / decoder.config.layers) * (end - start)));
      },
    });
    const first = Math.max(start, queriesStart);
    if (first < end) {
      const out = sliceRows(this.queryStates, first - queriesStart, end - first);
      this.ops.copyRows({ input: sliceRows(hidden, first - start, end - first), out });
    }
    if (end === this.request.answerStart)
      this.reader.logits(sliceRows(hidden, end - start - 1, 1), this.nextLogits);
    onProgress(end);
    await this.ops.pace();
    signal.throwIfAborted();
  }

  /** Generates the answer, then sees to it that the caches and states are those of the true answer. */
  async answer(answerStart: number): Promise<number[]> {
    const { ids, queriesStart, signal, isAnswerComplete } = this.request;
    const endIds = this.request.decoder.config.eosTokens;
    this.method.mark();
    const generated: number[] = [];
    let agreed = 0;
    for (;;) {
      signal.throwIfAborted();
      this.ops.argmax({ input: this.nextLogits, out: this.next, outOffset: 0 });
      const [token] = await this.ops.readIntegers(this.next);
      generated.push(token);
      if (endIds.includes(token) || generated.length >= LONGEST_ANSWER_TOKENS || isAnswerComplete(generated))
        break;
      const place = this.reader.length;
      const hidden = await this.reader.read(Uint32Array.of(token), { attend: (asked) => this.attend(asked) });
      this.reader.logits(hidden, this.nextLogits);
      if (agreed === place - answerStart && token === ids[place]) {
        agreed++;
        if (place >= queriesStart) {
          this.ops.copyRows({ input: hidden, out: sliceRows(this.queryStates, place - queriesStart, 1) });
        }
      }
    }
    if (this.reader.length !== answerStart + agreed) {
      this.reader.rewind(answerStart);
      this.method.rewind();
    }
    if (this.request.method.family === 'dense') {
      if (this.reader.length < ids.length) {
        await this.readBlocks([{ start: this.reader.length, end: ids.length }]);
      }
    } else {
      while (this.reader.length < ids.length)
        await this.readBlocks([{ start: this.reader.length, end: this.reader.length + 1 }]);
    }
    return generated;
  }

  /** Total of the attention steps so far; later ones are not measured. */
  async stopTiming(): Promise<MeasuredTime | null> {
    this.timing = false;
    if (!this.request.timed) return null;
    const times = await Promise.all(this.times);
    return {
      milliseconds: times.reduce((sum, time) => sum + time.milliseconds, 0),
      clock: times[0]?.clock ?? 'wall',
    };
  }

  release(): void {
    this.method.dispose();
  }

  private attend(asked: AttendRequest): void {
    const { decoder } = this.request;
    const { start, end } = asked;
    const kept: RowScalars = asked.logSumExp
      ? { ...asked.logSumExp, offset: asked.logSumExp.offset + start }
      : this.scratchLogSumExp;
    const input: LayerInput = {
      ...asked,
      block: { start, end },
      logSumExp: this.unused ? this.scratchLogSumExp : null,
    };
    const scale = decoder.config.attentionScale;
    const watch = this.timing ? this.ops.stopwatch() : null;
    if (this.unused) {
      fullLogSumExp(this.ops, input, scale, sliceRows(this.unused, 0, end - start), this.scratchLogSumExp);
    }
    const selection: Selection = this.method.select(input);
    if (this.method.attend) this.method.attend(input, selection, asked.out, kept);
    else attendSelection(this.ops, input, selection, scale, asked.out, kept);
    if (watch) this.times.push(watch.stop());
    this.ops.release(...selection.owned);
  }
}
