import type { DeviceBuffer, Rows } from '../../rows';
import { isHalf } from '../../rows';
import { checkApart, checkOutput, checkSpan, checkStored, fail } from '../../validate';

/**
 * out[0,r,:] (+)= table[0, indices[indexOffset + r], :]. Embeddings, learned positions. The table may hold halves, if out has whole
 * vectors of four. An index out of range reads the last row.
 */
export interface GatherRowsArguments {
  readonly table: Rows;
  readonly indices: DeviceBuffer;
  readonly indexOffset: number;
  readonly out: Rows;
  readonly accumulate?: boolean;
}

/** Argument checks of the decoder's operations. */
export function checkGatherRows(a: GatherRowsArguments): void {
  checkStored('gatherRows', 'table', a.table, { heads: 1, channels: a.out.channels });
  checkOutput('gatherRows', 'out', a.out, { heads: 1 });
  if (
    isHalf(a.table.buffer.type) &&
    (a.out.offset % 4 !== 0 || (a.out.rows > 1 && a.out.rowStride % 4 !== 0))
  )
    fail('gatherRows', 'out must have whole vectors of four where table holds halves');
  checkSpan('gatherRows', 'indices', a.indices, 'u32', a.indexOffset, a.out.rows);
  if (a.table.rows === 0 && a.out.rows > 0) fail('gatherRows', 'table has no rows to read from');
  checkApart('gatherRows', 'out', a.out, 'table', a.table);
}
