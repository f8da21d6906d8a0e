import type { RotationTable, RowPositions } from '../../arguments';
import type { Rows } from '../../rows';
import {
  checkBuffer,
  checkCount,
  checkInput,
  checkOutput,
  checkSameOrApart,
  checkSpan,
  fail,
} from '../../validate';

/**
 * Rotary embedding, half-split: with f = table.frequencies and channel c < f,
 * out[c] = x[c]·cos − x[c+f]·sin, out[c+f] = x[c+f]·cos + x[c]·sin at the row's position. out may be input.
 */
export interface RotateArguments {
  readonly input: Rows;
  readonly table: RotationTable;
  readonly positions: RowPositions;
  readonly out: Rows;
}

export function checkRotate(a: RotateArguments): void {
  const { input, out, table, positions } = a;
  checkInput('rotate', 'input', input);
  checkOutput('rotate', 'out', out, input);
  checkCount('rotate', 'table.positions', table.positions);
  checkCount('rotate', 'table.frequencies', table.frequencies);
  checkBuffer('rotate', 'table.cosine', table.cosine, 'f32', table.positions * table.frequencies);
  checkBuffer('rotate', 'table.sine', table.sine, 'f32', table.positions * table.frequencies);
  if (2 * table.frequencies > input.channels) {
    fail('rotate', `table has ${table.frequencies} frequencies, too many for ${input.channels} channels`);
  }
  if ('indices' in positions) {
    checkSpan('rotate', 'positions.indices', positions.indices, 'u32', positions.offset, input.rows);
  } else {
    checkCount('rotate', 'positions.start', positions.start);
    if (positions.step !== 0 && positions.step !== 1) {
      fail('rotate', `positions.step is ${positions.step}, but must be 0 or 1`);
    }
    const last = positions.start + Math.max(0, input.rows - 1) * positions.step;
    if (input.rows > 0 && last >= table.positions) {
      fail('rotate', `positions reach ${last}, but the table has ${table.positions}`);
    }
  }
  checkSameOrApart('rotate', 'out', out, 'input', input);
}
