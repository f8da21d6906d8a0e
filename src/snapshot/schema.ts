/** The recorded study's file, key by key: what it says is checked before the page takes it for the engine's own. */
import * as z from 'zod/mini';
import type { LayerMeasurement, QueryRow, RowRule, SweepPoint } from '../measure/results';
import type { MethodSpec } from '../methods/method-spec';
import type { Parameters } from '../methods/parameters';
import type { ModelFacts, TextFacts } from '../study/facts';
import type { FreeRunMeasurement, Measurements } from '../study/results';
import type { SourceSpec, StudySpec } from '../study/spec';

const whole = z.int().check(z.nonnegative());
const number = z.number();
const text = z.string();
const maybe = z.nullable(number);
/** Bytes, deflated. */
const base64 = z.string().check(z.regex(/^[A-Za-z0-9+/]*={0,2}$/));
const span = z.strictObject({ start: whole, end: whole });

const parameters: z.ZodMiniType<Parameters> = z.record(text, z.union([number, z.array(number), text]));
const method: z.ZodMiniType<MethodSpec> = z.strictObject({ id: text, parameters });

const source: z.ZodMiniType<SourceSpec> = z.discriminatedUnion('kind', [
  z.strictObject({
    kind: z.literal('task'),
    task: text,
    tokens: whole,
    depth: z.union([z.literal('spread'), number]),
    seed: whole,
  }),
  z.strictObject({ kind: z.literal('sample'), sample: text, tokens: z.nullable(whole) }),
  z.strictObject({ kind: z.literal('text'), text }),
]);

const spec: z.ZodMiniType<StudySpec> = z.strictObject({
  model: text,
  source,
  method,
  pinned: z.array(method),
  queriesStart: z.nullable(whole),
  startToken: z.nullable(z.boolean()),
});

const model: z.ZodMiniType<ModelFacts> = z.strictObject({
  name: text,
  digest: text,
  layers: whole,
  queryHeads: whole,
  keyValueHeads: whole,
  headDimension: whole,
  vocabularySize: whole,
  trainedTokens: whole,
  parameterCount: whole,
});

const textFacts: z.ZodMiniType<TextFacts> = z.strictObject({
  tokens: whole,
  tokenTexts: z.array(text),
  partNames: z.optional(z.record(text, text)),
  saved: z.union([z.strictObject({ text }), z.strictObject({ ids: z.array(whole) })]),
  queries: span,
  answerStart: z.nullable(whole),
  needles: z.array(
    z.strictObject({ start: whole, end: whole, label: text, value: text, asked: z.boolean() }),
  ),
  notices: z.array(text),
});

const layer: z.ZodMiniType<LayerMeasurement> = z.strictObject({
  layer: whole,
  keptKeys: number,
  visibleKeys: number,
  keptShare: number,
  massRecall: maybe,
  ownMassRecall: maybe,
  topkRecall: maybe,
  topkChance: maybe,
  topkRows: whole,
  selectorRecall: maybe,
  selectorRecallPerQuery: maybe,
  outputError: number,
  outputErrorAsRun: number,
  outputErrorProjected: maybe,
  tiedAtCut: maybe,
  reason: z.optional(text),
  heads: z.array(
    z.strictObject({
      head: whole,
      massRecall: maybe,
      ownMassRecall: maybe,
      topkRecall: maybe,
      topkChance: maybe,
      outputError: number,
      outputErrorAsRun: number,
    }),
  ),
});

const divergencePart = z.strictObject({
  start: whole,
  end: whole,
  meanNats: number,
  medianNats: number,
  shareAbove: number,
  top1Agreement: number,
});
const answer = z.strictObject({ text, right: z.boolean() });
const measured = z.strictObject({ milliseconds: number, clock: z.enum(['timestamp', 'wall']) });
const fullAndMethod = z.strictObject({ full: number, method: number });

const freeRun: z.ZodMiniType<FreeRunMeasurement> = z.strictObject({
  divergenceNats: number,
  top1Agreement: number,
  lossFullNats: maybe,
  lossNats: maybe,
  lossDifferenceNats: maybe,
  divergenceByToken: z.array(number),
  question: z.nullable(divergencePart),
  answerPart: z.nullable(divergencePart),
  expectedAnswer: z.nullable(text),
  fullAnswer: z.nullable(answer),
  answer: z.nullable(answer),
  generatedTexts: z.nullable(z.strictObject({ full: z.array(text), method: z.array(text) })),
  differsAt: z.nullable(
    z.strictObject({ token: whole, written: z.nullable(text), expected: z.nullable(text) }),
  ),
  needles: z.nullable(z.array(z.strictObject({ digits: whole, kept: z.array(z.array(number)) }))),
  time: z.nullable(
    z.strictObject({
      pairs: whole,
      full: measured,
      method: measured,
      ratio: z.strictObject({ median: number, low: number, high: number }),
      operations: fullAndMethod,
    }),
  ),
});

const point: z.ZodMiniType<SweepPoint> = z.strictObject({
  keep: number,
  kept: maybe,
  massRecall: maybe,
  layers: z.nullable(z.array(number)),
  floor: z.optional(number),
  right: z.optional(z.nullable(z.boolean())),
  reason: z.optional(text),
});

const measurements: z.ZodMiniType<Measurements> = z.strictObject({
  queries: span,
  layers: z.array(layer),
  cost: z.nullable(
    z.strictObject({
      density: number,
      fullAttentionOperations: number,
      selectionOperations: number,
      attentionOperations: number,
      onceOperations: number,
      forwardOperationsFull: number,
      forwardOperations: number,
      decodeReadBytesFull: number,
      decodeReadBytes: number,
      paperOperations: z.nullable(fullAndMethod),
    }),
  ),
  freeRun: z.nullable(freeRun),
  sweep: z.nullable(z.array(z.strictObject({ method, current: z.boolean(), points: z.array(point) }))),
});

const rule: z.ZodMiniType<RowRule> = z.strictObject({
  kind: z.enum([
    'scores',
    'place',
    'head',
    'pattern',
    'neighbour',
    'lot',
    'file',
    'everything',
    'not-yet',
    'room',
    'dense-layer',
    'dense-before',
    'dense-after',
    'window',
  ]),
  partitions: z.nullable(z.strictObject({ start: whole, tokens: whole })),
  evictedAt: z.nullable(whole),
  pattern: z.optional(z.string()),
  unit: z.optional(
    z.strictObject({
      name: z.enum(['page', 'chunk', 'block', 'cluster']),
      tokens: z.nullable(z.strictObject({ start: whole, each: whole })),
    }),
  ),
  threshold: z.optional(z.number()),
  droppedEarlier: z.optional(z.string()),
  stages: z.optional(z.strictObject({ score: text, factor: text })),
});

const positions: z.ZodMiniType<QueryRow['positions']> = z.enum(['model', 'own', 'cache']);

/** Levels of weights below a picture's diagonal, or what they differ by from a prediction (quantise.ts). */
const levels = z.strictObject({ predicted: z.boolean(), bytes: base64 });

export const snapshotSchema = z.strictObject({
  format: z.literal('keyhole-study-3'),
  version: text,
  spec,
  model,
  text: textFacts,
  measurements,
  /** Milliseconds by name, as measured where it was recorded. */
  timing: z.record(text, number),
  /** [layers, heads, size, size] of the pixel's largest weight. */
  thumbnails: z.strictObject({ size: whole, layers: whole, heads: whole, rowStep: whole, maximum: levels }),
  /** The opening view's map, which is the whole matrix: [height, width], as high as wide. */
  map: z.strictObject({
    request: z.strictObject({
      layer: whole,
      head: whole,
      rowStart: whole,
      rowEnd: whole,
      columnStart: whole,
      columnEnd: whole,
      width: whole,
      height: whole,
    }),
    rowStep: whole,
    maximum: levels,
    /** Where a cell would be missed if it were dropped, a bit a pixel. */
    excess: base64,
    kept: z.nullable(base64),
  }),
  /** What the opening view's query sees: 32-bit floats, NaN where nothing was scored. */
  row: z.strictObject({
    layer: whole,
    head: whole,
    query: whole,
    positions,
    firstWeight: number,
    rule,
    weights: base64,
    fates: base64,
    scores: z.nullable(base64),
    secondary: z.nullable(base64),
  }),
});

/** The file's content. */
export type SnapshotFile = z.infer<typeof snapshotSchema>;
