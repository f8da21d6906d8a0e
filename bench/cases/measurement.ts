import type { Ops } from '../../gpu/ops';
import type { DeviceBuffer } from '../../gpu/rows';
import { attentionInputs, quarterListed } from './attention';
import type { KernelCase, Sizes } from './case';

type AttentionInputs = ReturnType<typeof attentionInputs>;

/** Operations that compute the probabilities once more. */
function probabilitiesCase(
  name: string,
  outLength: (sizes: Sizes) => number,
  encode: (ops: Ops, inputs: AttentionInputs, out: DeviceBuffer, sizes: Sizes) => () => void,
): KernelCase {
  return {
    name,
    tolerance: 1e-5,
    prepare(ops, sizes) {
      const inputs = attentionInputs(ops, sizes, sizes.rows);
      const out = ops.allocate('f32', outLength(sizes), 'out');
      return {
        size: inputs.size,
        flops: 2 * inputs.pairs * sizes.channels,
        bytes: inputs.inputBytes + 4 * outLength(sizes),
        out,
        encode: encode(ops, inputs, out, sizes),
      };
    },
  };
}

const GROUPINGS = 12;
const GROUPS = 3;

/** What measurements and maps compute from a recorded text. */
export const measurementCases: readonly KernelCase[] = [
  probabilitiesCase(
    'attentionProbabilities',
    ({ heads, rows, keys }) => heads * rows * keys,
    (ops, inputs, out) => () => ops.attentionProbabilities({ ...inputs, out }),
  ),
  probabilitiesCase(
    'accumulatedAttention',
    ({ groups, keys }) => groups * keys,
    (ops, inputs, buffer, { groups, keys }) => {
      const out = { buffer, offset: 0, rows: groups, length: keys, rowStride: keys };
      const visible = { range: { start: 0, end: keys, causal: true } };
      return () => ops.accumulatedAttention({ ...inputs, visible, out });
    },
  ),
  {
    name: 'accumulatedAttention, lists, one query',
    tolerance: 1e-5,
    prepare(ops, sizes) {
      const { query, key, scale, logSumExp, inputBytes, size } = attentionInputs(ops, sizes, 1);
      const { visible, pairs } = quarterListed(ops, sizes, 1);
      const { heads: rows, keys: length, channels } = sizes;
      const buffer = ops.allocate('f32', rows * length, 'out');
      const out = { buffer, offset: 0, rows, length, rowStride: length };
      return {
        ...{ size, flops: 2 * pairs * channels, bytes: inputBytes + 4 * rows * length, out: buffer },
        encode: () => ops.accumulatedAttention({ query, key, scale, logSumExp, visible, out }),
      };
    },
  },
  probabilitiesCase(
    `massByGroup, ${GROUPINGS} groupings`,
    ({ heads, rows }) => GROUPINGS * heads * rows * GROUPS,
    (ops, inputs, out, { keys }) => {
      const groups = Uint32Array.from({ length: GROUPINGS * keys }, (_, i) => (i * 7 + (i >> 3)) % GROUPS);
      const groupOf = ops.upload(groups, 'groups');
      const grouped = { groupOf, groupings: GROUPINGS, sets: 1, groups: GROUPS };
      return () => ops.massByGroup({ ...inputs, ...grouped, out });
    },
  ),
  {
    name: 'attentionTiles',
    tolerance: 1e-5,
    prepare(ops, sizes) {
      const inputs = attentionInputs(ops, { ...sizes, heads: 1, groups: 1 }, sizes.rows);
      const side = 128;
      const tokensPerPixel = 2 ** Math.ceil(Math.log2(Math.max(1, sizes.keys / side)));
      const out = ops.allocate('f32', 3 * side * side, 'tile');
      const tiles = [{ head: 0, row: 0, key: 0 }];
      const pixels = { tiles, width: side, height: side, tokensPerPixel, rowStep: 1, out, outOffset: 0 };
      const products = { factors: inputs.logSumExp, firstKeys: 4, firstFactor: 100 };
      return {
        size: `${inputs.size} to ${side} × ${side}`,
        flops: 2 * inputs.pairs * sizes.channels,
        bytes: inputs.inputBytes,
        out,
        encode: () => ops.attentionTiles({ ...inputs, ...pixels, ...products }),
      };
    },
  },
];
