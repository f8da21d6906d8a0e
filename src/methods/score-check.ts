/**
 * Scores that are not finite end a run in a sentence: top-k takes NaN for the least of all, and would choose on. What makes scores
 * is followed by a product of them with zeros, which is 0 unless one is NaN or infinite; the sums are read once, at the run's end.
 */
import type { Ops, ScoreRows } from '../../gpu/ops';
import type { DeviceBuffer } from '../../gpu/rows';
import { matrixRows } from '../../gpu/rows';
import { UserError } from '../user-error';
import type { EachQuery, MethodRun } from './method';

/** Score rows that are checked in one dispatch, each in a number of its own. */
const MOST_ROWS = 64;

export class ScoreCheck {
  /** What the method records its work with: the same operations, those that make scores with their check. */
  readonly ops: Ops;
  private readonly device: Ops;
  private readonly layers: number;
  private layer = 0;
  private zeros: DeviceBuffer | null = null;
  /** [layers, MOST_ROWS], 0 as long as all scores were finite; null before the first. */
  private sums: DeviceBuffer | null = null;

  constructor(device: Ops, layers: number) {
    this.device = device;
    this.layers = layers;
    const check = (scores: ScoreRows): void => this.add(scores);
    this.ops = Object.assign(Object.create(device) as Ops, {
      peakScores(a: Parameters<Ops['peakScores']>[0]) {
        device.peakScores(a);
        const { key, out, outOffset } = a;
        check({ buffer: out, offset: outOffset, rows: 1, length: key.rows, rowStride: key.rows });
      },
      peakScoresByQuery(a: Parameters<Ops['peakScoresByQuery']>[0]) {
        device.peakScoresByQuery(a);
        check(a.out);
      },
      attentionWeights(a: Parameters<Ops['attentionWeights']>[0]) {
        device.attentionWeights(a);
        const [rows, length] = [a.query.heads * a.query.rows, a.key.rows];
        check({ buffer: a.out, offset: 0, rows, length, rowStride: length });
      },
      lagScores(a: Parameters<Ops['lagScores']>[0]) {
        device.lagScores(a);
        check(a.out);
      },
      attentionColumnSums(a: Parameters<Ops['attentionColumnSums']>[0]) {
        device.attentionColumnSums(a);
        check(a.out);
      },
    });
  }

  /** The run, or a part of it, whose calls say which layer the scores are of. */
  watch<Run extends MethodRun | EachQuery>(run: Run): Run {
    return new Proxy(run, {
      get: (target, name) => {
        const value: unknown = Reflect.get(target, name, target);
        if (name === 'each' && value) return this.watch(value as EachQuery);
        if (typeof value !== 'function') return value;
        return (...given: unknown[]): unknown => {
          const [first] = given as { readonly layer?: number }[];
          if (typeof first?.layer === 'number') this.layer = first.layer;
          return value.apply(target, given);
        };
      },
    });
  }

  /** Throws UserError that names the first layer with scores that are not finite. */
  async verdict(methodId: string): Promise<void> {
    if (!this.sums) return;
    const sums = await this.device.readFloats(this.sums);
    const at = sums.findIndex((sum) => sum !== 0);
    if (at < 0) return;
    throw new UserError(
      `${methodId}: in layer ${Math.floor(at / MOST_ROWS)} the scores of keys are not finite: numbers there are too large for 32 bits; nothing is selected by them.`,
    );
  }

  release(): void {
    for (const buffer of [this.zeros, this.sums]) if (buffer) this.device.release(buffer);
    this.zeros = null;
    this.sums = null;
  }

  private add({ buffer, offset, rows, length, rowStride }: ScoreRows): void {
    if (rows === 0 || length === 0) return;
    this.sums ??= this.device.upload(new Float32Array(this.layers * MOST_ROWS), 'checks of scores');
    const input = matrixRows(this.zerosOf(length), 1, length);
    for (let first = 0; first < rows; first += MOST_ROWS) {
      const together = Math.min(MOST_ROWS, rows - first);
      const weight = { ...matrixRows(buffer, together, length, offset + first * rowStride), rowStride };
      const out = matrixRows(this.sums, 1, together, this.layer * MOST_ROWS);
      this.device.matmul({ input, weight, out, accumulate: true });
    }
  }

  private zerosOf(width: number): DeviceBuffer {
    if (this.zeros && this.zeros.length >= width) return this.zeros;
    if (this.zeros) this.device.release(this.zeros);
    const length = 2 ** Math.ceil(Math.log2(Math.max(width, 1024)));
    this.zeros = this.device.upload(new Float32Array(length), 'zeros');
    return this.zeros;
  }
}
