/** Argument checks of the operations that measure attention. */
import { checkApart } from './overlap';
import { checkWeightInputs } from './selection';
import type { Arguments } from './views';
import { asRows, checkCount, checkSpan, fail } from './views';

export function checkMassByClass(a: Arguments<'massByClass'>): void {
  checkWeightInputs('massByClass', a);
  checkCount('massByClass', 'groupings', a.groupings);
  checkCount('massByClass', 'sets', a.sets);
  checkCount('massByClass', 'classes', a.classes);
  if (a.groupings > 0 && a.query.heads > 0 && (a.sets === 0 || a.query.heads % a.sets !== 0)) {
    fail('massByClass', `sets is ${a.sets}, which does not divide the ${a.query.heads} query heads`);
  }
  checkSpan('massByClass', 'classOf', a.classOf, 'u32', 0, a.groupings * a.sets * a.key.rows);
  checkSpan('massByClass', 'out', a.out, 'f32', 0, a.groupings * a.query.heads * a.query.rows * a.classes);
}

export function checkAttentionWeights(a: Arguments<'attentionWeights'>): void {
  checkWeightInputs('attentionWeights', a);
  const length = a.query.heads * a.query.rows * a.key.rows;
  checkSpan('attentionWeights', 'out', a.out, 'f32', 0, length);
  const out = asRows({ buffer: a.out, offset: 0, rows: 1, length, rowStride: 0 });
  checkApart('attentionWeights', 'out', out, 'query', a.query);
  checkApart('attentionWeights', 'out', out, 'key', a.key);
}

export function checkAttentionTile(a: Arguments<'attentionTile'>): void {
  checkWeightInputs('attentionTile', a);
  if (a.query.heads !== 1) fail('attentionTile', `query.heads is ${a.query.heads}, but must be 1`);
  if (a.key.heads !== 1) fail('attentionTile', `key.heads is ${a.key.heads}, but must be 1`);
  checkCount('attentionTile', 'width', a.width);
  checkCount('attentionTile', 'height', a.height);
  if (!Number.isSafeInteger(a.rowStep) || a.rowStep < 1) {
    fail('attentionTile', `rowStep is ${a.rowStep}, but must be an integer ≥ 1`);
  }
  checkSpan('attentionTile', 'maximum', a.maximum, 'f32', a.outOffset, a.width * a.height);
  checkSpan('attentionTile', 'mean', a.mean, 'f32', a.outOffset, a.width * a.height);
  if (a.maximum === a.mean && a.width * a.height > 0) {
    fail('attentionTile', `maximum and mean are both written to ${a.mean.label}`);
  }
}
