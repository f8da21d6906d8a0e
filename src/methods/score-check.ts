/**
 * Scores that are not finite end a run in a sentence: top-k ranks NaN lowest and would go on choosing. Every operation that makes
 * scores is followed by their product with zeros, which is 0 unless one is NaN or infinite. The sums are read once, at the end.
 */
import type { Arguments, Ops, ScoreRows } from '../../gpu/ops';
import type { DeviceBuffer } from '../../gpu/rows';
import { matrixRows } from '../../gpu/rows';
import { UserError } from '../base/user-error';
import type { EachQuery, MethodRun } from './method';

/**
 * Rows of scores that one product checks, each in a sum of its own: those of a pass over queries (MOST_SCORES_OF_PASS) where texts have
 * 2,048 tokens or more, for 2 KiB a layer that are read at the end.
 */
const MOST_ROWS = 512;

/** Operations that make scores. */
type Scoring =
  | 'esaImportance'
  | 'esaImportanceByQuery'
  | 'attentionProbabilities'
  | 'lagScores'
  | 'boundScores'
  | 'accumulatedAttention'
  | 'heavyHitters'
  | 'leverage';

/** The rows of scores that each leaves. */
const scoresMade: { readonly [Name in Scoring]: (a: Arguments<Name>) => ScoreRows } = {
  esaImportance: ({ key, out, outOffset }) => ({
    ...{ buffer: out, offset: outOffset, rows: 1, length: key.rows, rowStride: key.rows },
  }),
  esaImportanceByQuery: ({ out }) => out,
  attentionProbabilities({ query, key, out }) {
    return { buffer: out, offset: 0, rows: query.heads * query.rows, length: key.rows, rowStride: key.rows };
  },
  lagScores: ({ out }) => out,
  boundScores: ({ out }) => out,
  accumulatedAttention: ({ out }) => out,
  leverage: ({ out }) => out,
  // One that is not finite makes all that follow so.
  heavyHitters: ({ query: { heads, rows }, received }) => ({
    ...{ ...received, rows: heads, offset: received.offset + heads * rows * received.rowStride },
  }),
};

export class ScoreCheck {
  /** The device's operations, for the method to encode its work with; those that make scores are checked. */
  readonly ops: Ops;
  readonly #device: Ops;
  readonly #layers: number;
  #layer = 0;
  #zeros: DeviceBuffer | null = null;
  /** [layers, MOST_ROWS], 0 as long as all scores were finite; null before the first. */
  #sums: DeviceBuffer | null = null;
  #added = 0;
  #judged = 0;

  constructor(device: Ops, layers: number) {
    this.#device = device;
    this.#layers = layers;
    this.ops = Object.create(device) as Ops;
    for (const [name, rowsOf] of Object.entries(scoresMade)) {
      const record = Reflect.get(device, name) as (a: unknown) => void;
      const checked = (a: never): void => {
        record.call(device, a);
        this.#add(rowsOf(a));
      };
      Object.assign(this.ops, { [name]: checked });
    }
  }

  /** The same run, or part of one; every call with a layer's input tells which layer the scores made meanwhile are of. */
  watch<Run extends MethodRun | EachQuery>(run: Run): Run {
    return new Proxy(run, {
      get: (target, name) => {
        const value: unknown = Reflect.get(target, name, target);
        if (name === 'each' && value) return this.watch(value as EachQuery);
        if (typeof value !== 'function') return value;
        return (...given: unknown[]): unknown => {
          const [first] = given as { readonly layer?: number }[];
          if (typeof first?.layer === 'number') this.#layer = first.layer;
          return value.apply(target, given);
        };
      },
    });
  }

  /** Throws UserError that names the first layer with scores that are not finite. */
  async verdict(methodId: string): Promise<void> {
    if (!this.#sums) return;
    const added = this.#added;
    const sums = await this.#device.readFloats(this.#sums);
    this.#judged = added;
    const at = sums.findIndex((sum) => sum !== 0);
    if (at < 0) return;
    throw new UserError(
      `${methodId}: in layer ${Math.floor(at / MOST_ROWS)} the scores of keys are not finite: numbers there are too large for 32 bits; nothing is selected by them.`,
    );
  }

  /** Whether scores were made that no verdict has looked at. */
  get isOpen(): boolean {
    return this.#sums !== null && this.#added > this.#judged;
  }

  /** No more scores will be made; a verdict can still be asked for. */
  end(): void {
    if (this.#zeros) this.#device.release(this.#zeros);
    this.#zeros = null;
  }

  release(): void {
    this.end();
    if (this.#sums) this.#device.release(this.#sums);
    this.#sums = null;
  }

  #add({ buffer, offset, rows, length, rowStride }: ScoreRows): void {
    if (rows === 0 || length === 0) return;
    this.#added += 1;
    this.#sums ??= this.#device.upload(new Float32Array(this.#layers * MOST_ROWS), 'checks of scores');
    const input = matrixRows(this.#zerosOf(length), 1, length);
    for (let first = 0; first < rows; first += MOST_ROWS) {
      const together = Math.min(MOST_ROWS, rows - first);
      const weight = { ...matrixRows(buffer, together, length, offset + first * rowStride), rowStride };
      const out = matrixRows(this.#sums, 1, together, this.#layer * MOST_ROWS);
      this.#device.matmul({ input, weight, out, accumulate: true });
    }
  }

  #zerosOf(width: number): DeviceBuffer {
    if (this.#zeros && this.#zeros.length >= width) return this.#zeros;
    if (this.#zeros) this.#device.release(this.#zeros);
    const length = 2 ** Math.ceil(Math.log2(Math.max(width, 1024)));
    this.#zeros = this.#device.upload(new Float32Array(length), 'zeros');
    return this.#zeros;
  }
}
