/** One layer at a block that was not read but taken over: what a free run shows a method, out of what full attention has read. */
import type { RowScalars } from '../../gpu/ops';
import { type Rows, sliceRows } from '../../gpu/rows';
import type { LayerInput, QueryBlock, Wants } from '../methods/method';
import type { LayerTrace } from '../trace/trace';
import type { EarlierQueries } from './earlier-queries';

/** Views are made when read: rotated rows share their space, and most methods look at none of these. */
export class TakenInput implements LayerInput {
  readonly layer: number;
  readonly block: QueryBlock;
  readonly #trace: LayerTrace;
  readonly #wants: Wants;
  readonly #earlier: EarlierQueries | null;

  constructor(trace: LayerTrace, block: QueryBlock, wants: Wants, earlier: EarlierQueries | null) {
    this.layer = trace.layer;
    this.block = block;
    this.#trace = trace;
    this.#wants = wants;
    this.#earlier = earlier;
  }

  get query(): Rows {
    return this.#ofBlock(this.#trace.query);
  }

  get queryUnrotated(): Rows {
    return this.#ofBlock(this.#trace.queryUnrotated!);
  }

  get key(): Rows {
    return this.#upToBlock(this.#trace.key);
  }

  get keyUnrotated(): Rows {
    return this.#upToBlock(this.#trace.keyUnrotated!);
  }

  get value(): Rows {
    return this.#upToBlock(this.#trace.value);
  }

  get hidden(): Rows | null {
    const { hidden } = this.#trace;
    return this.#wants.hidden && hidden ? this.#upToBlock(hidden) : null;
  }

  get logSumExp(): RowScalars | null {
    return this.#wants.logSumExp ? this.attended : null;
  }

  /** Log-sum-exp of the block's attention, which was full. */
  get attended(): RowScalars {
    const { buffer, offset, headStride } = this.#trace.logSumExp;
    return { buffer, offset: offset + this.block.start, headStride };
  }

  queriesBefore(end: number): Rows | null {
    return this.#earlier?.before(this.layer, end) ?? null;
  }

  /** Layers below have had their turn. */
  prompt(): null {
    return null;
  }

  inLayer(): null {
    return null;
  }

  atBlock(): null {
    return null;
  }

  #ofBlock(view: Rows): Rows {
    return sliceRows(view, this.block.start, this.block.end - this.block.start);
  }

  #upToBlock(view: Rows): Rows {
    return sliceRows(view, 0, this.block.end);
  }
}
