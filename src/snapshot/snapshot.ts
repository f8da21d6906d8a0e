/**
 * The recorded study: a finished run as JSON (samples/studies/default.json), shown at first paint until live numbers replace
 * it. Pictures are bytes on a log scale (quantise.ts) in base64, of maps what lies below the diagonal; numbers are exact.
 */
import * as z from 'zod/mini';
import { firstWeightOf } from '../measure/missed';
import type { QueryRow, RowRule } from '../measure/results';
import type { ModelFacts, TextFacts } from '../study/facts';
import type { Measurements } from '../study/results';
import type { StudySpec } from '../study/spec';
import type { MapRequest, MapTile, Thumbnails } from '../tiles/picture';
import {
  belowDiagonal,
  fromBase64,
  fromBelowDiagonal,
  packReached,
  quantiseShares,
  quantiseWeights,
  restoreShares,
  restoreWeights,
  toBase64,
  unpackReached,
} from './quantise';

const base64 = z.string().check(z.regex(/^[A-Za-z0-9+/]*={0,2}$/));
const whole = z.int().check(z.nonnegative());
/** Facts and numbers are checked by their outline; they come from the same program. */
const outline = <Shape extends z.core.$ZodLooseShape>(shape: Shape) => z.looseObject(shape);

const recordedSchema = z.object({
  format: z.literal('keyhole-study-2'),
  version: z.string(),
  spec: outline({
    model: z.string(),
    source: outline({ kind: z.string() }),
    method: outline({ id: z.string() }),
  }),
  model: outline({
    name: z.string(),
    digest: z.string(),
    layers: whole,
    queryHeads: whole,
    trainedTokens: whole,
  }),
  text: outline({
    tokens: whole,
    tokenTexts: z.array(z.string()),
    queries: outline({ start: whole, end: whole }),
  }),
  measurements: outline({
    queries: outline({ start: whole, end: whole }),
    layers: z.array(
      outline({ layer: whole, massRecall: z.number(), heads: z.array(outline({ head: whole })) }),
    ),
  }),
  /** Milliseconds by name, as measured where it was recorded. */
  timing: z.record(z.string(), z.number()),
  /** [layers, heads, size, size] of the pixel's largest weight. */
  thumbnails: z.object({ size: whole, layers: whole, heads: whole, rowStep: whole, maximum: base64 }),
  /** The opening view's map, which is the whole matrix: [height, width], as high as wide. */
  map: z.object({
    request: outline({
      layer: whole,
      head: whole,
      rowStart: whole,
      rowEnd: whole,
      width: whole,
      height: whole,
    }),
    rowStep: whole,
    maximum: base64,
    mean: base64,
    /** Where a cell would be missed if it were dropped, a bit a pixel. */
    excess: z._default(base64, ''),
    kept: z.nullable(base64),
  }),
  /** What the opening view's query sees; scores are exact, null where nothing was scored. */
  row: z.object({
    layer: whole,
    head: whole,
    query: whole,
    weights: base64,
    positions: z.optional(z.enum(['model', 'own'])),
    firstWeight: z.optional(z.number()),
    fates: base64,
    scores: z.nullable(z.array(z.nullable(z.number()))),
    secondary: z.optional(z.nullable(z.array(z.nullable(z.number())))),
    rule: z.optional(outline({ kind: z.string() })),
  }),
});

/** The file's content. */
export type RecordedFile = z.infer<typeof recordedSchema>;

/** A recorded study in the engine's own types. */
export interface RecordedStudy {
  readonly version: string;
  readonly spec: StudySpec;
  readonly model: ModelFacts;
  readonly text: TextFacts;
  readonly measurements: Measurements;
  readonly timing: Readonly<Record<string, number>>;
  readonly thumbnails: Thumbnails;
  readonly map: MapTile;
  readonly row: QueryRow;
}

/** Packs a finished run; the command line writes what this returns as JSON. */
export function packStudy(study: RecordedStudy): RecordedFile {
  const { maximum, mean, excess, kept, rowStep, ...request } = study.map;
  const { weights, fates, scores, secondary, method: _, ...row } = study.row;
  if (request.width !== request.height) throw new RangeError('the recorded map must be of the whole matrix');
  const picture = (bytes: Uint8Array, side = request.width): string => toBase64(belowDiagonal(bytes, side));
  return recordedSchema.parse({
    ...study,
    format: 'keyhole-study-2',
    thumbnails: {
      ...study.thumbnails,
      maximum: picture(quantiseWeights(study.thumbnails.maximum), study.thumbnails.size),
    },
    map: {
      request,
      rowStep,
      maximum: picture(quantiseWeights(maximum)),
      mean: picture(quantiseWeights(mean)),
      excess: toBase64(packReached(excess)),
      kept: kept && picture(quantiseShares(kept)),
    },
    row: {
      ...row,
      weights: toBase64(quantiseWeights(weights)),
      fates: toBase64(fates),
      scores: packScores(scores),
      secondary: packScores(secondary),
    },
  });
}

/**
 * Null when the file is not a recorded study of this form: the page then waits for live numbers. Throws RangeError for pictures
 * that are cut short.
 */
export function unpackStudy(file: unknown): RecordedStudy | null {
  const checked = recordedSchema.safeParse(file);
  if (!checked.success) return null;
  const { spec, model, text, measurements, thumbnails, map, row, version, timing } = checked.data;
  const picture = (packed: string, side = map.request.width): Uint8Array =>
    fromBelowDiagonal(fromBase64(packed), side);
  const weights = restoreWeights(fromBase64(row.weights));
  return {
    version,
    timing,
    // Files from before there was a choice have the tokenizer's own start token.
    spec: { startToken: null, ...spec } as unknown as StudySpec,
    model: model as unknown as ModelFacts,
    text: text as unknown as TextFacts,
    measurements: measurements as unknown as Measurements,
    thumbnails: { ...thumbnails, maximum: restoreWeights(picture(thumbnails.maximum, thumbnails.size)) },
    map: {
      ...(map.request as unknown as MapRequest),
      rowStep: map.rowStep,
      maximum: restoreWeights(picture(map.maximum)),
      mean: restoreWeights(picture(map.mean)),
      excess: unpackReached(fromBase64(map.excess), map.request.width * map.request.height),
      kept: map.kept === null ? null : restoreShares(picture(map.kept)),
    },
    row: {
      ...row,
      method: spec.method as unknown as QueryRow['method'],
      positions: row.positions ?? 'model',
      weights,
      firstWeight: row.firstWeight ?? firstWeightOf(weights),
      fates: fromBase64(row.fates),
      rule: (row.rule ?? { kind: 'scores', partitions: null, evictedAt: null }) as unknown as RowRule,
      scores: unpackScores(row.scores),
      secondary: unpackScores(row.secondary ?? null),
    },
  };
}

function packScores(scores: Float32Array | null): (number | null)[] | null {
  return scores && Array.from(scores, (score) => (Number.isFinite(score) ? score : null));
}

function unpackScores(scores: readonly (number | null)[] | null): Float32Array | null {
  return scores && Float32Array.from(scores, (score) => score ?? Number.NaN);
}
