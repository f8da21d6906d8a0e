import { UserError } from '../src/base/user-error';
import { checkAgainstCpu, checkStep } from './esa-check';
import { type AllowedSpeedUps, allowedSpeedUps, type CountedStep, stepOperations } from './esa-counts';
import { createText, prepareStep, type StepShape, type SyntheticText } from './esa-step';
import { profiled } from './profile';
import type { Bench, Section } from './section';
import { type Column, headerLine, percent, tableLine, threeDigits } from './table';
import { timeRepeated, timeWall } from './timing';

interface Sizes {
  readonly shape: StepShape;
  readonly localTokens: number;
  /** Lengths of the text, ascending. */
  readonly tokens: readonly number[];
  /** Once more with fewer local tokens. */
  readonly few: { readonly localTokens: number; readonly tokens: number };
}

const K = 1024;
const HARDWARE: Sizes = {
  shape: {
    queryHeads: 16,
    keyValueHeads: 8,
    headDimension: 128,
    compressedDim: 128,
    blockTokens: 512,
    initTokens: 128,
    selectedTokens: 2048,
    proximity: 3,
  },
  localTokens: 4096,
  tokens: [K, 2 * K, 4 * K, 8 * K, 16 * K, 32 * K, 64 * K, 128 * K],
  few: { localTokens: 512, tokens: 32 * K },
};
const SOFTWARE: Sizes = {
  shape: {
    queryHeads: 4,
    keyValueHeads: 2,
    headDimension: 32,
    compressedDim: 8,
    blockTokens: 64,
    initTokens: 16,
    selectedTokens: 64,
    proximity: 3,
  },
  localTokens: 128,
  tokens: [128, 256, 512, K, 2 * K, 4 * K],
  few: { localTokens: 16, tokens: K },
};

const CURVE: readonly Column[] = [
  { title: 'tokens', width: 8 },
  { title: 'local', width: 7 },
  { title: 'full ms', width: 10 },
  { title: 'ESA ms', width: 9 },
  { title: 'speed-up', width: 10 },
  { title: 'allowed', width: 9 },
  { title: 'reached', width: 9 },
  { title: 'causal', width: 8 },
  { title: 'reached', width: 9 },
  { title: 'paper', width: 8 },
  { title: 'wall: full', width: 12 },
  { title: 'ESA', width: 9 },
  { title: 'speed-up', width: 10 },
];

interface Point {
  readonly tokens: number;
  readonly localTokens: number;
  readonly fullMs: number;
  readonly esaMs: number;
  readonly fullWallMs: number;
  readonly esaWallMs: number;
  readonly allowed: AllowedSpeedUps;
}

/** ESA's step beside full attention of the same queries, from short texts to long ones. */
export const esa: Section = {
  name: 'esa',
  title: "One step of ESA in one layer beside full attention of the same queries, by the text's length",
  needsGpu: true,
  async run(bench) {
    const sizes = bench.ops.isSoftware ? SOFTWARE : HARDWARE;
    await checkAgainstCpu(bench.ops);
    const text = await longestText(bench, sizes);
    const steps = [
      ...sizes.tokens.map((tokens) => ({ tokens, localTokens: sizes.localTokens })),
      sizes.few,
    ].filter(({ tokens }) => tokens <= text.tokens);
    const points: Point[] = [];
    for (const { tokens, localTokens } of steps) points.push(await measure(bench, text, tokens, localTokens));

    const { shape } = sizes;
    bench.print(
      `\n${shape.blockTokens} queries, ${shape.queryHeads} heads over ${shape.keyValueHeads} of ${shape.headDimension}, ` +
        `${shape.selectedTokens} selected, d' ${shape.compressedDim}, ${shape.initTokens} initial tokens`,
    );
    bench.print(
      `ESA's step: fold, rotate and compress the queries; compress the ${shape.blockTokens} keys that are new in the middle;`,
    );
    bench.print('score, dilate, choose; attend near and far; merge');
    bench.print(headerLine(CURVE));
    for (const point of points) bench.print(curveLine(point));
    bench.print(
      'allowed: by operations, no causal mask, two scoring passes; causal: as the program counts its own; paper: App. A',
    );
    bench.figure('esa curve', points);
    for (const tokens of [sizes.few.tokens, steps[steps.length - 2]!.tokens])
      await printProfile(bench, text, tokens, sizes.localTokens);
    text.release(bench.ops);
  },
};

/** Keys and values of the longest text that the device has room for. */
async function longestText({ ops, print }: Bench, { shape, tokens }: Sizes): Promise<SyntheticText> {
  let failure: unknown;
  for (const length of [...tokens].reverse()) {
    try {
      return await createText(ops, shape, length);
    } catch (error) {
      if (!(error instanceof UserError)) throw error;
      failure = error;
      print(`${length} tokens do not fit: ${error.message}`);
    }
  }
  throw failure;
}

async function measure(
  bench: Bench,
  text: SyntheticText,
  tokens: number,
  localTokens: number,
): Promise<Point> {
  const { ops } = bench;
  const step = await prepareStep(ops, text, tokens, localTokens);
  await checkStep(ops, text, step);
  const gpu = (encode: () => void) => timeRepeated(() => ops.stopwatch(), encode);
  const wall = (encode: () => void) => timeWall(ops, step.out.buffer, encode);
  const counted: CountedStep = { ...text.shape, tokens, localTokens };
  const point: Point = {
    tokens,
    localTokens,
    fullMs: await gpu(step.full),
    esaMs: await gpu(step.esa),
    fullWallMs: await wall(step.full),
    esaWallMs: await wall(step.esa),
    allowed: allowedSpeedUps(counted),
  };
  const operations = stepOperations(counted);
  const size = `${text.shape.blockTokens} of ${tokens} tokens, ${localTokens} local`;
  bench.row({ name: 'full', size, milliseconds: point.fullMs, flops: operations.full, bytes: 0 });
  bench.row({ name: 'esa', size, milliseconds: point.esaMs, flops: operations.esa, bytes: 0 });
  step.release();
  return point;
}

function curveLine({ tokens, localTokens, fullMs, esaMs, fullWallMs, esaWallMs, allowed }: Point): string {
  const speedUp = fullMs / esaMs;
  return tableLine(CURVE, [
    String(tokens),
    String(localTokens),
    threeDigits(fullMs),
    threeDigits(esaMs),
    speedUp.toFixed(2),
    allowed.twoPasses.toFixed(2),
    percent(speedUp / allowed.twoPasses),
    allowed.causal.toFixed(2),
    percent(speedUp / allowed.causal),
    allowed.paper.toFixed(2),
    threeDigits(fullWallMs),
    threeDigits(esaWallMs),
    (fullWallMs / esaWallMs).toFixed(2),
  ]);
}

/** Where a step's time goes, each operation timed by itself. */
async function printProfile(
  { ops, print, figure }: Bench,
  text: SyntheticText,
  tokens: number,
  localTokens: number,
): Promise<void> {
  const repeats = 5;
  const profile = profiled(ops);
  const step = await prepareStep(profile.ops, text, tokens, localTokens);
  step.esa();
  await profile.total();
  for (let i = 0; i < repeats; i++) step.esa();
  const sums = [...(await profile.total())].map(
    ([name, milliseconds]) => [name, milliseconds / repeats] as const,
  );
  step.release();
  const parts = sums.map(([name, milliseconds]) => `${name} ${threeDigits(milliseconds)}`);
  print(`ESA's step at ${tokens} tokens, operations timed one by one, ms:\n  ${parts.join(', ')}`);
  figure(`esa profile, ${tokens} tokens`, Object.fromEntries(sums));
}
