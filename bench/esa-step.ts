/** One step of ESA in one layer, through the method as a run uses it, on synthetic queries, keys and values. */
import type { Ops, RotationTable } from '../gpu/ops';
import { type Rows, sliceRows, tokenMajorRows } from '../gpu/rows';
import { esa } from '../src/methods/esa';
import type { LayerInput, MethodRun, Selection } from '../src/methods/method';
import { resolveParameters } from '../src/methods/parameters';
import type { Calibration } from '../src/model/calibration';
import { createRotationTable } from '../src/model/decoder/buffers';
import { randomFloats } from './random';

export interface StepShape {
  readonly queryHeads: number;
  readonly keyValueHeads: number;
  readonly headDimension: number;
  readonly compressedDim: number;
  readonly blockTokens: number;
  readonly initTokens: number;
  readonly selectedTokens: number;
  readonly proximity: number;
}

/** Keys and values of a long text, as a decoder's cache holds them: token by token, before and after rotation. */
export interface SyntheticText {
  readonly shape: StepShape;
  readonly tokens: number;
  readonly table: RotationTable;
  /** [tokens, G·d]. */
  readonly host: {
    readonly keyUnrotated: Float32Array;
    readonly key: Float32Array;
    readonly value: Float32Array;
  };
  readonly keyUnrotated: Rows;
  readonly key: Rows;
  readonly value: Rows;
  release(ops: Ops): void;
}

export async function createText(ops: Ops, shape: StepShape, tokens: number): Promise<SyntheticText> {
  const { keyValueHeads, headDimension } = shape;
  const numbers = tokens * keyValueHeads * headDimension;
  const rows = (buffer: Rows['buffer']) => tokenMajorRows(buffer, keyValueHeads, tokens, headDimension);
  const host = { keyUnrotated: randomFloats(numbers, 1), value: randomFloats(numbers, 2) };
  const keyUnrotated = rows(ops.upload(host.keyUnrotated, 'keys, un-rotated'));
  const value = rows(ops.upload(host.value, 'values'));
  const key = rows(ops.allocate('f32', numbers, 'keys'));
  const rope = { kind: 'default', theta: 10_000 } as const;
  const table = createRotationTable(ops, rope, headDimension, tokens + 1, tokens);
  ops.rotate({ input: keyUnrotated, table, positions: { start: 0, step: 1 }, out: key });
  return {
    shape,
    tokens,
    table,
    host: { ...host, key: await ops.readFloats(key.buffer) },
    keyUnrotated,
    key,
    value,
    release: (ops) => ops.release(keyUnrotated.buffer, key.buffer, value.buffer, table.cosine, table.sine),
  };
}

/** The last block of a text of `tokens` tokens, ready to be attended to again and again. */
export interface EsaStep {
  readonly input: LayerInput;
  readonly run: MethodRun;
  /** [H, block, d]: what `full` and `esa` write. */
  readonly out: Rows;
  /** Queries before rotation, [block, H·d]. */
  readonly queryUnrotated: Float32Array;
  /** w, the position of queries towards far tokens. */
  readonly globalPosition: number;
  /** Full attention of the block's queries. */
  full(): void;
  /** ESA's selection for the block and its attention; keys before the last block are compressed already, as in a run. */
  esa(): void;
  /** The same, but the selection stays for the caller to look at and release. */
  select(): Selection;
  release(): void;
}

/**
 * The projection has random entries of the closed form's shape: its price is the same, and computing the real one for 1,024
 * channels takes longer than all measurements.
 */
export async function prepareStep(
  ops: Ops,
  text: SyntheticText,
  tokens: number,
  localTokens: number,
): Promise<EsaStep> {
  const { shape, table } = text;
  const { queryHeads, keyValueHeads, headDimension, compressedDim, blockTokens } = shape;
  const context = { layers: 1, queryHeads, keyValueHeads, headDimension, trainedTokens: null };
  const parameters = resolveParameters(
    esa,
    {
      projection: 'learned',
      compressedDim,
      initTokens: shape.initTokens,
      localTokens,
      selectedTokens: shape.selectedTokens,
      chunkTokens: blockTokens,
      proximity: shape.proximity,
    },
    { ...context, tokens: Math.max(text.tokens, localTokens) },
  );
  const scale = headDimension ** -0.5;
  const run = esa.start(
    {
      ...context,
      ops,
      scores: { scale },
      rotationOf: () => table,
      ropeOf: () => null,
      positionOffset: 0,
      totalTokens: tokens,
      evictAt: tokens,
      promptEnd: tokens,
      calibration: randomProjection(shape, localTokens),
      outputWeight: () => null,
      injected: () => null,
      projection: null,
      recorded: null,
      rereading: null,
    },
    parameters,
  );
  await run.prepare?.(null);

  const numbers = blockTokens * queryHeads * headDimension;
  const queryRows = (buffer: Rows['buffer']) =>
    tokenMajorRows(buffer, queryHeads, blockTokens, headDimension);
  const hostQuery = randomFloats(numbers, 3);
  const queryUnrotated = queryRows(ops.upload(hostQuery, 'queries, un-rotated'));
  const query = queryRows(ops.allocate('f32', numbers, 'queries'));
  const blockStart = tokens - blockTokens;
  ops.rotate({ input: queryUnrotated, table, positions: { start: blockStart, step: 1 }, out: query });
  const out = queryRows(ops.allocate('f32', numbers, 'attended'));
  const logSumExp = {
    buffer: ops.allocate('f32', queryHeads * blockTokens, 'log-sum-exp'),
    offset: 0,
    headStride: blockTokens,
  };
  const inputOf = (end: number): LayerInput => ({
    layer: 0,
    block: { start: end - blockTokens, end },
    query,
    queryUnrotated,
    key: sliceRows(text.key, 0, end),
    keyUnrotated: sliceRows(text.keyUnrotated, 0, end),
    value: sliceRows(text.value, 0, end),
    hidden: null,
    logSumExp: null,
    queriesBefore: () => null,
    inLayer: () => null,
    prompt: () => null,
    atBlock: () => null,
  });
  const input = inputOf(tokens);
  // What a run has done before: after this, the compressed keys lack those of one block.
  if (blockStart >= blockTokens) ops.release(...run.select(inputOf(blockStart)).owned);
  run.mark();

  const select = (): Selection => {
    run.rewind();
    const selection = run.select(input);
    run.attend!(input, selection, out, logSumExp);
    return selection;
  };
  return {
    input,
    run,
    out,
    queryUnrotated: hostQuery,
    globalPosition: localTokens,
    full() {
      const visible = { range: { start: 0, end: tokens, causal: true } };
      ops.attention({ query, key: input.key, value: input.value, scale, visible, out, logSumExp });
    },
    esa: () => ops.release(...select().owned),
    select,
    release() {
      run.dispose();
      ops.release(queryUnrotated.buffer, query.buffer, out.buffer, logSumExp.buffer);
    },
  };
}

function randomProjection(shape: StepShape, rotation: number): Calibration {
  const { keyValueHeads, headDimension, compressedDim } = shape;
  const width = keyValueHeads * headDimension;
  const map = (seed: number) =>
    randomFloats(compressedDim * width, seed).map((value) => value / Math.sqrt(width));
  const bias = new Float32Array(compressedDim);
  return {
    metadata: {},
    hasSecondMoments: false,
    learned: [{ rotation, dimension: compressedDim }],
    secondMoments: () => null,
    learnedProjection: () => ({ queryWeight: map(4), queryBias: bias, keyWeight: map(5), keyBias: bias }),
  };
}
