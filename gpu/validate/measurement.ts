/** Argument checks of the operations that measure attention. */
import { checkApart } from './overlap';
import { checkWeightInputs } from './selection';
import type { Arguments } from './views';
import { asRows, checkCount, checkFinite, checkInput, checkSpan, fail, scalarsAsRows } from './views';

export function checkMassByClass(a: Arguments<'massByClass'>): void {
  checkWeightInputs('massByClass', a);
  checkCount('massByClass', 'groupings', a.groupings);
  checkCount('massByClass', 'sets', a.sets);
  checkCount('massByClass', 'classes', a.classes);
  if (a.groupings > 0 && a.query.heads > 0 && (a.sets === 0 || a.query.heads % a.sets !== 0)) {
    fail('massByClass', `sets is ${a.sets}, which does not divide the ${a.query.heads} query heads`);
  }
  checkSpan(
    'massByClass',
    'classOf',
    a.classOf,
    'u32',
    0,
    a.groupings * a.sets * (a.byRow ? a.query.rows : 1) * a.key.rows,
  );
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

export function checkAttentionTiles(a: Arguments<'attentionTiles'>): void {
  checkWeightInputs('attentionTiles', a);
  checkCount('attentionTiles', 'width', a.width);
  checkCount('attentionTiles', 'height', a.height);
  checkPowerOfTwo('tokensPerPixel', a.tokensPerPixel);
  checkPowerOfTwo('rowStep', a.rowStep);
  if (a.rowStep > a.tokensPerPixel) {
    fail('attentionTiles', `rowStep is ${a.rowStep}, but a pixel has only ${a.tokensPerPixel} rows`);
  }
  for (const { head, row, key } of a.tiles) {
    checkCount('attentionTiles', 'tile.head', head);
    checkCount('attentionTiles', 'tile.row', row);
    checkCount('attentionTiles', 'tile.key', key);
    if (head >= a.query.heads) {
      fail('attentionTiles', `a tile is of head ${head}, but there are ${a.query.heads}`);
    }
  }
  checkInput('attentionTiles', 'factors', scalarsAsRows(a.factors, a.query.heads, a.query.rows));
  checkCount('attentionTiles', 'firstKeys', a.firstKeys);
  checkFinite('attentionTiles', 'firstFactor', a.firstFactor);
  const length = a.tiles.length * 3 * a.width * a.height;
  checkSpan('attentionTiles', 'out', a.out, 'f32', a.outOffset, length);
  const out = asRows({ buffer: a.out, offset: a.outOffset, rows: 1, length, rowStride: 0 });
  checkApart('attentionTiles', 'out', out, 'query', a.query);
  checkApart('attentionTiles', 'out', out, 'key', a.key);
}

function checkPowerOfTwo(name: string, value: number): void {
  if (!Number.isSafeInteger(value) || value < 1 || value > 2 ** 30 || (value & (value - 1)) !== 0) {
    fail('attentionTiles', `${name} is ${value}, but must be a power of two`);
  }
}
