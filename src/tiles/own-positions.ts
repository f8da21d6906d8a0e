/** Tiles of a method's own positions: the log-sum-exp of each head's rows under them, and pieces put together from parts. */
import { sliceRows } from '../../gpu/rows';
import { Scratch } from '../../gpu/scratch';
import { UserError } from '../base/user-error';
import { FIRST_TOKENS, MISSED_FIRST } from '../measure/missed';
import { everything, headInput, isOwnRun, type OwnRun } from '../measure/own-positions';
import { contextOf, methodContext } from '../measure/trace-run';
import { studyBlocks } from '../methods/blocks';
import type { Method, QueryBlock } from '../methods/method';
import type { Parameters } from '../methods/parameters';
import type { LayerTrace, Trace } from '../trace/trace';
import { TileCache } from './cache';
import { missedFactors } from './factors';
import { TILE_PIXELS, tileTokens, tokensPerPixel } from './grid';
import { type PieceRange, partsOfPiece, type TilePart, type TileSpan } from './parts';
import type { AttentionReply, PooledLines, TileWork } from './requests';

/** Bytes of heads' numbers that are kept. */
const CACHE_BYTES = 2 ** 25;

/** One head under own positions, by query: λ_own, and the weight on the first tokens. */
interface OwnHead {
  readonly logSumExp: Float32Array;
  readonly firstWeights: Float32Array;
}

/** What is pooled to `height` × `width` pixels, of every `rowStep`-th query row of a pixel. */
interface Piece {
  readonly layerTrace: LayerTrace;
  readonly head: number;
  readonly numbers: OwnHead;
  readonly range: PieceRange;
  readonly height: number;
  readonly width: number;
  readonly rowStep: number;
}

/** One method's own positions over an open text. */
export class OwnPositions {
  readonly #text: Trace;
  readonly #run: OwnRun;
  readonly #blocks: readonly QueryBlock[];
  readonly #heads: TileCache<Promise<OwnHead>>;
  readonly #closing = new AbortController();

  constructor(text: Trace, method: Method, parameters: Parameters, evictAt: number) {
    const { tokens, answerStart } = text;
    const places = { tokens, answerStart, evictAt };
    const run = method.start(methodContext(text, evictAt), parameters);
    if (!isOwnRun(run)) throw new Error(`${method.id} has no positions of its own`);
    this.#text = text;
    this.#run = run;
    this.#blocks = studyBlocks(method, parameters, places, contextOf(text));
    this.#heads = new TileCache(CACHE_BYTES, () => 8 * tokens);
  }

  /** Evaluates pieces of tiles. Throws the signal's reason. */
  async attention(work: readonly TileWork[], signal: AbortSignal): Promise<AttentionReply> {
    const start = performance.now();
    const lines: PooledLines[] = [];
    for (const piece of work) {
      const { layer, head, level, row, column, lineStart, lineEnd, rowStep } = piece;
      const scale = tokensPerPixel(level);
      const corner = { row: row * tileTokens(level) + lineStart * scale, key: column * tileTokens(level) };
      const range = {
        rowStart: corner.row,
        rowEnd: Math.min(this.#text.tokens, corner.row + (lineEnd - lineStart) * scale),
        keyStart: corner.key,
        keyEnd: Math.min(this.#text.tokens, corner.key + tileTokens(level)),
        tokensPerPixel: scale,
      };
      const layerTrace = this.#text.layerTraces.find((entry) => entry.layer === layer)!;
      const numbers = await this.#head(layerTrace, head);
      signal.throwIfAborted();
      const [height, width] = [lineEnd - lineStart, TILE_PIXELS];
      lines.push(await this.#pool({ layerTrace, head, numbers, range, height, width, rowStep }));
      signal.throwIfAborted();
    }
    return { lines, milliseconds: performance.now() - start };
  }

  /** What is pending ends with a sentence. */
  dispose(): void {
    this.#closing.abort(new UserError('Another method is being run; the picture follows.'));
    this.#heads.clear();
    this.#run.dispose();
  }

  #head(layerTrace: LayerTrace, head: number): Promise<OwnHead> {
    const key = `${layerTrace.layer}/${head}`;
    const known = this.#heads.get(key);
    if (known) return known;
    const made = this.#readHead(layerTrace, head);
    this.#heads.set(key, made);
    made.catch(() => this.#heads.delete(key));
    return made;
  }

  async #readHead(layerTrace: LayerTrace, head: number): Promise<OwnHead> {
    const { ops, tokens } = this.#text;
    const lambda = ops.allocate('f32', tokens, 'log-sum-exp under own positions');
    try {
      for (const block of this.#blocks) {
        const scratch = new Scratch(ops);
        const input = headInput(this.#text, layerTrace, block, head);
        const rows = block.end - block.start;
        const out = scratch.rows(1, rows, input.value.channels, 'output under own positions');
        const selection = everything(scratch, block, this.#run.farEnd(layerTrace.layer, block));
        const logSumExp = { buffer: lambda, offset: block.start, headStride: tokens };
        this.#run.attend(input, selection, out, logSumExp);
        scratch.release();
        await ops.pace();
        this.#closing.signal.throwIfAborted();
      }
      const logSumExp = await ops.readFloats(lambda);
      const range = {
        ...{ rowStart: 0, rowEnd: tokens, keyStart: 0, keyEnd: Math.min(FIRST_TOKENS, tokens) },
        tokensPerPixel: 1,
      };
      const none = new Float32Array(tokens);
      const unknown = { logSumExp, firstWeights: none };
      const picture = { height: tokens, width: FIRST_TOKENS, rowStep: 1 };
      const { maximum } = await this.#pool({ layerTrace, head, numbers: unknown, range, ...picture });
      const firstWeights = none.map((_, query) =>
        maximum.subarray(query * FIRST_TOKENS, (query + 1) * FIRST_TOKENS).reduce((sum, part) => sum + part),
      );
      return { logSumExp, firstWeights };
    } finally {
      ops.release(lambda);
    }
  }

  async #pool(piece: Piece): Promise<PooledLines> {
    const { layerTrace, head, numbers, range, height, width, rowStep } = piece;
    const { ops, tokens } = this.#text;
    const spans = this.#blocks.map((block): TileSpan => {
      return { ...block, farEnd: this.#run.farEnd(layerTrace.layer, block) };
    });
    const parts = partsOfPiece(range, spans);
    const length = parts.reduce((sum, { lines, columns }) => sum + 3 * lines * columns, 0);
    const scratch = new Scratch(ops);
    const out = ops.allocate('f32', length, 'parts of a tile');
    const lambda = scratch.upload(numbers.logSumExp, 'log-sum-exp of tile rows');
    const factors = scratch.upload(missedFactors(numbers.firstWeights), 'factors of tile rows');
    let outOffset = 0;
    try {
      const whole = headInput(this.#text, layerTrace, { start: range.rowStart, end: range.rowEnd }, head);
      const far = parts.some(({ isFar }) => isFar) ? this.#run.farRows(whole) : null;
      for (const buffer of far?.owned ?? []) scratch.keep(buffer);
      for (const part of parts) {
        const rows = part.isFar ? far! : whole;
        const offset = part.rowStart;
        ops.attentionTiles({
          query: sliceRows(rows.query, part.rowStart - range.rowStart, part.rowEnd - part.rowStart),
          key: sliceRows(rows.key, part.keyStart, part.keyEnd - part.keyStart),
          ...this.#text.scores,
          logSumExp: { buffer: lambda, offset, headStride: tokens },
          causalOffset: part.rowStart - part.keyStart,
          tiles: [{ head: 0, row: 0, key: 0 }],
          width: part.columns,
          height: part.lines,
          tokensPerPixel: range.tokensPerPixel,
          rowStep,
          factors: { buffer: factors, offset, headStride: tokens },
          firstKeys: Math.max(0, FIRST_TOKENS - part.keyStart),
          firstFactor: 1 / MISSED_FIRST,
          out,
          outOffset,
        });
        outOffset += 3 * part.lines * part.columns;
      }
      const read = ops.readFloats(out);
      scratch.release();
      const pixels = await read;
      await ops.pace();
      return putTogether(parts, pixels, range, height, width, rowStep);
    } finally {
      scratch.release();
      ops.release(out);
    }
  }
}

function putTogether(
  parts: readonly TilePart[],
  pixels: Float32Array,
  { tokensPerPixel: scale }: PieceRange,
  height: number,
  width: number,
  rowStep: number,
): PooledLines {
  const maximum = new Float32Array(height * width);
  const excess = new Float32Array(height * width);
  const sum = new Float64Array(height * width);
  const cells = new Float64Array(height * width);
  let start = 0;
  for (const part of parts) {
    const size = part.lines * part.columns;
    for (let i = 0; i < size; i++) {
      const [y, x] = [Math.floor(i / part.columns), i % part.columns];
      const at = (part.line + y) * width + part.column + x;
      maximum[at] = Math.max(maximum[at]!, pixels[start + i]!);
      excess[at] = Math.max(excess[at]!, pixels[start + 2 * size + i]!);
      const evaluated = evaluatedCells(part, y, x, scale, rowStep);
      sum[at]! += pixels[start + size + i]! * evaluated;
      cells[at]! += evaluated;
    }
    start += 3 * size;
  }
  return { maximum, excess, mean: maximum.map((_, at) => (cells[at]! > 0 ? sum[at]! / cells[at]! : 0)) };
}

/** Causal cells of a part's pixel (y, x) in the rows that were evaluated. */
function evaluatedCells(part: TilePart, y: number, x: number, scale: number, rowStep: number): number {
  const first = part.keyStart + x * scale;
  const end = Math.min(part.keyEnd, first + scale);
  const rowEnd = Math.min(part.rowEnd, part.rowStart + (y + 1) * scale);
  let cells = 0;
  for (let row = part.rowStart + y * scale; row < rowEnd; row += rowStep) {
    cells += Math.max(0, Math.min(end, row + 1) - first);
  }
  return cells;
}
