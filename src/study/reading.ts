/**
 * A free run (docs/measurements.md, "Source, queries, runs"): the decoder reads a text with a method in every layer. The
 * prompt is read in the method's blocks; the answer, if the text has one, is generated greedily, every token its own block of
 * one query, and the true answer is read too, so that both runs of a study have logits on the same tokens. Full attention is
 * the method `full`; its reading, with queries kept, is what probe runs start from.
 */
import type { MeasuredTime, Ops, RowScalars } from '../../gpu/ops';
import type { DeviceBuffer, Rows } from '../../gpu/rows';
import { matrixRows, sliceRows, tokenMajorRows } from '../../gpu/rows';
import type { LayerInput, Method, MethodRun, Selection } from '../methods/method';
import type { Parameters } from '../methods/parameters';
import type { Calibration } from '../model/calibration';
import type { AttendRequest, Decoder, Reader } from '../model/decoder';
import { createReader } from '../model/decoder';
import { UserError } from '../user-error';
import { attendSelection, fullLogSumExp } from './attend';
import type { RecordedLayer } from './recorded';

/** Longest answer that is generated; what ends one earlier is in docs/measurements.md, "Source, queries, runs". */
export const LONGEST_ANSWER_TOKENS = 64;

/** Logits of all queries are held at once, on the device and off it; 1 GiB of them is where that stops. */
const MOST_LOGIT_NUMBERS = 2 ** 28;

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
  /** Logits at each token of `queries`, [T − queriesStart, V]. */
  readonly queryLogits: Float32Array;
  /** Generated token ids; null without an answer. */
  readonly generated: readonly number[] | null;
  /** The attention step, selection included, of the prompt, all layers. Null when not timed. */
  readonly attentionTime: MeasuredTime | null;
}

/** Runs a method through a whole text. Throws UserError, or the signal's reason when cancelled. */
export async function readText(request: ReadingRequest): Promise<Reading> {
  const { decoder, ids, answerStart, queriesStart } = request;
  const { ops, config } = decoder;
  const tokens = ids.length;
  const queryCount = tokens - queriesStart;
  if (queryCount * config.vocabularySize > MOST_LOGIT_NUMBERS) {
    const most = Math.floor(MOST_LOGIT_NUMBERS / config.vocabularySize);
    throw new UserError(
      `Logits of ${queryCount} queries over ${config.vocabularySize} tokens need more than 1 GiB; use at most ${most} queries.`,
    );
  }
  const promptEnd = answerStart ?? tokens;
  const evictAt = Math.min(queriesStart, promptEnd);
  const blocks = request.method.blocks(request.parameters, promptEnd, evictAt, { ...config, tokens });
  const largestBlock = Math.max(
    1,
    answerStart === null ? 0 : tokens - answerStart,
    ...blocks.map((block) => block.end - block.start),
  );
  const capacity = answerStart === null ? tokens : Math.max(tokens, answerStart + LONGEST_ANSWER_TOKENS);
  const reader = createReader(decoder, { capacity, largestBlock, keepQueries: request.keepQueries });
  const logits = ops.allocate('f32', queryCount * config.vocabularySize, 'query logits');
  const run = new Run(
    request,
    reader,
    matrixRows(logits, queryCount, config.vocabularySize),
    largestBlock,
    evictAt,
  );
  try {
    await run.prepare();
    for (const block of blocks) await run.readBlock(block.start, block.end);
    const attentionTime = await run.stopTiming();
    const generated = answerStart === null ? null : await run.answer(answerStart);
    const queryLogits = await ops.readFloats(logits);
    return { reader, queryLogits, generated, attentionTime };
  } catch (error) {
    reader.release();
    throw error;
  } finally {
    run.release();
    ops.release(logits);
  }
}

/** The state of one reading: the method's run, scratch space and clocks. */
class Run {
  private readonly ops: Ops;
  private readonly method: MethodRun;
  private readonly next: DeviceBuffer;
  private readonly nextLogits: Rows;
  private readonly scratch: DeviceBuffer[] = [];
  private readonly scratchLogSumExp: RowScalars;
  private readonly unused: Rows | null;
  private readonly times: Promise<MeasuredTime>[] = [];
  private timing: boolean;
  private readonly request: ReadingRequest;
  private readonly reader: Reader;
  private readonly queryLogits: Rows;

  constructor(
    request: ReadingRequest,
    reader: Reader,
    queryLogits: Rows,
    largestBlock: number,
    evictAt: number,
  ) {
    this.request = request;
    this.reader = reader;
    this.queryLogits = queryLogits;
    const { decoder, method, parameters, calibration, ids } = request;
    const { ops, config } = decoder;
    this.ops = ops;
    this.timing = request.timed;
    const allocate = (type: 'f32' | 'u32', length: number, label: string): DeviceBuffer => {
      const buffer = ops.allocate(type, length, label);
      this.scratch.push(buffer);
      return buffer;
    };
    this.next = allocate('u32', 1, 'next token');
    this.nextLogits = matrixRows(
      allocate('f32', config.vocabularySize, 'next logits'),
      1,
      config.vocabularySize,
    );
    this.scratchLogSumExp = {
      buffer: allocate('f32', config.queryHeads * largestBlock, 'block log-sum-exp'),
      offset: 0,
      headStride: largestBlock,
    };
    // Methods that look at full attention's weights need its log-sum-exp first, which comes with an output nobody reads.
    const width = config.queryHeads * config.headDimension;
    this.unused = method.needs.fullAttention
      ? tokenMajorRows(
          allocate('f32', largestBlock * width, 'full attention output'),
          config.queryHeads,
          largestBlock,
          config.headDimension,
        )
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

  /** Reads the true tokens [start, end) as one block and keeps the logits of those that are queries. */
  async readBlock(start: number, end: number): Promise<void> {
    const { ids, queriesStart, signal, onProgress } = this.request;
    signal.throwIfAborted();
    const hidden = await this.reader.read(ids.subarray(start, end), (layer) => this.attend(layer));
    const first = Math.max(start, queriesStart);
    if (first < end) {
      const rows = sliceRows(this.queryLogits, first - queriesStart, end - first);
      this.reader.logits(sliceRows(hidden, first - start, end - first), rows);
    }
    if (end === this.request.answerStart)
      this.reader.logits(sliceRows(hidden, end - start - 1, 1), this.nextLogits);
    onProgress(end);
    await this.ops.pace();
    signal.throwIfAborted();
  }

  /** Generates the answer, then sees to it that the caches and logits are those of the true answer. */
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
      const hidden = await this.reader.read(Uint32Array.of(token), (layer) => this.attend(layer));
      this.reader.logits(hidden, this.nextLogits);
      if (agreed === place - answerStart && token === ids[place]) {
        agreed++;
        if (place >= queriesStart) {
          this.ops.copyRows({
            input: this.nextLogits,
            out: sliceRows(this.queryLogits, place - queriesStart, 1),
          });
        }
      }
    }
    if (this.reader.length !== answerStart + agreed) {
      this.reader.rewind(answerStart);
      this.method.rewind();
    }
    if (this.request.method.family === 'dense') {
      if (this.reader.length < ids.length) await this.readBlock(this.reader.length, ids.length);
    } else {
      while (this.reader.length < ids.length)
        await this.readBlock(this.reader.length, this.reader.length + 1);
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
    this.ops.release(...this.scratch);
  }

  private attend(asked: AttendRequest): void {
    const { decoder } = this.request;
    const { cache, start, end } = asked;
    const kept: RowScalars = cache.logSumExp
      ? { ...cache.logSumExp, offset: cache.logSumExp.offset + start }
      : this.scratchLogSumExp;
    const input: LayerInput = {
      layer: asked.layer,
      block: { start, end },
      query: asked.query,
      queryUnrotated: asked.queryUnrotated,
      key: sliceRows(cache.key, 0, end),
      keyUnrotated: sliceRows(cache.keyUnrotated, 0, end),
      value: sliceRows(cache.value, 0, end),
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
