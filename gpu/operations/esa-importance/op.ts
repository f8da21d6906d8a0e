import type { DeviceBuffer, Rows } from '../../rows';
import { asRows, checkApart, checkInput, checkSpan } from '../../validate';

/**
 * ESA Eq. 4: out[outOffset + m] = max_c ( q_c·k_m − max_m' q_c·k_m' ), query [n,K], key [M,K], one head each. The
 * score matrix is not stored. M = 0 writes nothing; n = 0 writes −∞. A key whose result is NaN, or leaves 32 bits, gets −∞,
 * and so does key c mod M where query c's largest score is not finite: what is wrong shows in the result.
 */
export interface EsaImportanceArguments {
  readonly query: Rows;
  readonly key: Rows;
  readonly out: DeviceBuffer;
  readonly outOffset: number;
}

export function checkEsaImportance(a: EsaImportanceArguments): void {
  checkInput('esaImportance', 'query', a.query, { heads: 1 });
  checkInput('esaImportance', 'key', a.key, { heads: 1, channels: a.query.channels });
  checkSpan('esaImportance', 'out', a.out, 'f32', a.outOffset, a.key.rows);
  const out = asRows({ buffer: a.out, offset: a.outOffset, rows: 1, length: a.key.rows, rowStride: 0 });
  checkApart('esaImportance', 'out', out, 'query', a.query);
  checkApart('esaImportance', 'out', out, 'key', a.key);
}
