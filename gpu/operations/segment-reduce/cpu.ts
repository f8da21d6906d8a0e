import { floatsOf } from '../../cpu/buffer';
import { checkSegmentReduce, type SegmentReduceArguments } from './op';

type Kind = SegmentReduceArguments['kind'];

const START: Readonly<Record<Kind, number>> = {
  sum: 0,
  mean: 0,
  max: Number.NEGATIVE_INFINITY,
  min: Number.POSITIVE_INFINITY,
};
const add = (a: number, b: number): number => a + b;
/** NaN counts as −∞. */
const clean = (x: number): number => (Number.isNaN(x) ? Number.NEGATIVE_INFINITY : x);
const COMBINE: Readonly<Record<Kind, (a: number, b: number) => number>> = {
  sum: add,
  mean: add,
  max: (a, b) => Math.max(a, clean(b)),
  min: (a, b) => Math.min(a, clean(b)),
};

export function segmentReduce(a: SegmentReduceArguments): void {
  checkSegmentReduce(a);
  const { kind, input, segmentLength, out } = a;
  const inputData = floatsOf(input.buffer);
  const outData = floatsOf(out.buffer);
  const combine = COMBINE[kind];
  for (let row = 0; row < input.rows; row++) {
    const inputStart = input.offset + row * input.rowStride;
    for (let segment = 0; segment < out.length; segment++) {
      const first = segment * segmentLength;
      const end = Math.min(input.length, first + segmentLength);
      let value = START[kind];
      for (let j = first; j < end; j++) value = combine(value, inputData[inputStart + j]!);
      outData[out.offset + row * out.rowStride + segment] = kind === 'mean' ? value / (end - first) : value;
    }
  }
}
