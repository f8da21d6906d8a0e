/**
 * The recorded study: a finished run as JSON (samples/studies/default.json), shown at first paint until live numbers replace
 * it. Pictures are bytes on a log scale (quantise.ts), of maps what lies below the diagonal; numbers are exact. All bytes
 * are deflated, in base64.
 */
import { deflate, inflate } from '../base/deflate';
import type { QueryRow } from '../measure/results';
import type { ModelFacts, TextFacts } from '../study/facts';
import type { Measurements } from '../study/results';
import type { StudySpec } from '../study/spec';
import type { MapPicture, Thumbnails } from '../tiles/picture';
import {
  belowDiagonal,
  differences,
  fromBase64,
  fromBelowDiagonal,
  fromDifferences,
  packBits,
  quantiseShares,
  quantiseWeights,
  restoreShares,
  restoreWeights,
  toBase64,
  unpackBits,
} from './quantise';
import { type SnapshotFile, snapshotSchema } from './schema';

/** A recorded study in the engine's own types. */
export interface Snapshot {
  readonly version: string;
  readonly spec: StudySpec;
  readonly model: ModelFacts;
  readonly text: TextFacts;
  readonly measurements: Measurements;
  readonly timing: Readonly<Record<string, number>>;
  readonly thumbnails: Thumbnails;
  readonly map: MapPicture;
  readonly row: QueryRow;
}

type Levels = SnapshotFile['thumbnails']['maximum'];

/** A file holds no more bytes in one place: those of a hundred times as many pixels as it is recorded with. */
const LONGEST_BYTES = 2 ** 25;

/** Weights of the row below it are recorded as 0: nothing tells them apart on the page, and most of a row are such. */
const LEAST_WEIGHT = 1e-7;

/** Packs a finished run; the command line writes what this returns as JSON. */
export async function packSnapshot({ map, thumbnails, row, ...study }: Snapshot): Promise<SnapshotFile> {
  const { maximum, excess, kept, rowStep, layer, head, width, height, ...region } = map;
  const { rowStart, rowEnd, columnStart, columnEnd } = region;
  const { weights, fates, scores, secondary, method: _, ...decided } = row;
  if (width !== height) throw new RangeError('the recorded map must be of the whole matrix');
  const reached = Uint8Array.from(excess, (value) => (value >= 1 ? 1 : 0));
  return snapshotSchema.parse({
    ...study,
    format: 'keyhole-study-3',
    thumbnails: { ...thumbnails, maximum: await packLevels(thumbnails.maximum, thumbnails.size) },
    map: {
      request: { layer, head, rowStart, rowEnd, columnStart, columnEnd, width, height },
      rowStep,
      maximum: await packLevels(maximum, width),
      excess: await pack(packBits(belowDiagonal(reached, width))),
      kept: kept && (await pack(belowDiagonal(quantiseShares(kept), width))),
    },
    row: {
      ...decided,
      weights: await packFloats(weights.map((weight) => (weight < LEAST_WEIGHT ? 0 : weight))),
      fates: await pack(fates),
      scores: scores && (await packFloats(scores)),
      secondary: secondary && (await packFloats(secondary)),
    },
  });
}

/**
 * Null when the file is not a recorded study of this form: the page then waits for live numbers. Throws RangeError for pictures
 * that are cut short, and an error of the platform's for damaged bytes.
 */
export async function unpackSnapshot(file: unknown): Promise<Snapshot | null> {
  const checked = snapshotSchema.safeParse(file);
  if (!checked.success) return null;
  const { format: _, thumbnails, map, row, ...study } = checked.data;
  const { request, rowStep } = map;
  const { width: side } = request;
  const picture = (bytes: Uint8Array): Uint8Array => fromBelowDiagonal(bytes, side, 1);
  const [small, maximum, excess, kept, weights, fates, scores, secondary] = await Promise.all([
    unpackLevels(thumbnails.maximum, thumbnails.size, thumbnails.layers * thumbnails.heads),
    unpackLevels(map.maximum, side, 1),
    unpack(map.excess),
    map.kept === null ? null : unpack(map.kept),
    unpackFloats(row.weights),
    unpack(row.fates),
    row.scores === null ? null : unpackFloats(row.scores),
    row.secondary === null ? null : unpackFloats(row.secondary),
  ]);
  return {
    ...study,
    thumbnails: { ...thumbnails, maximum: small },
    map: {
      ...request,
      rowStep,
      maximum,
      excess: new Float32Array(picture(unpackBits(excess, (side * (side + 1)) / 2))),
      kept: kept && restoreShares(picture(kept)),
    },
    row: { ...row, method: study.spec.method, weights, fates, scores, secondary },
  };
}

async function pack(bytes: Uint8Array): Promise<string> {
  return toBase64(await deflate(Uint8Array.from(bytes)));
}

function unpack(packed: string): Promise<Uint8Array<ArrayBuffer>> {
  return inflate(fromBase64(packed), LONGEST_BYTES);
}

/** As levels or as differences of them, whichever is shorter. */
async function packLevels(weights: Float32Array, side: number): Promise<Levels> {
  const levels = belowDiagonal(quantiseWeights(weights), side);
  const plain = await pack(levels);
  const predicted = await pack(differences(levels, side));
  return predicted.length < plain.length
    ? { predicted: true, bytes: predicted }
    : { predicted: false, bytes: plain };
}

async function unpackLevels(
  { predicted, bytes }: Levels,
  side: number,
  count: number,
): Promise<Float32Array> {
  const levels = await unpack(bytes);
  return restoreWeights(fromBelowDiagonal(predicted ? fromDifferences(levels, side) : levels, side, count));
}

function packFloats({ buffer, byteOffset, byteLength }: Float32Array): Promise<string> {
  return pack(new Uint8Array(buffer, byteOffset, byteLength));
}

async function unpackFloats(packed: string): Promise<Float32Array> {
  return new Float32Array((await unpack(packed)).buffer);
}
