import { quote } from '../base/quote';
import { UserError } from '../base/user-error';
import type { ModelConfig } from './architectures/config';
import type { SafetensorsFile } from './files/safetensors';
import { shapesEqual, shapeText } from './files/tensor-source';

export const CALIBRATION_FILE = 'keyhole-calibration.safetensors';
const CALIBRATION_FORMAT = 'keyhole-calibration-1';

/** Uncentred second moments of one layer, both [G·d, G·d] row-major, key-value groups one after the other. */
interface SecondMoments {
  /** Of un-rotated queries, summed over the heads of each group. */
  query: Float32Array;
  /** Of un-rotated keys. */
  key: Float32Array;
}

/** ESA's Eq. 7 by gradient descent, for queries at one rotation: q′ = queryWeight · q + queryBias, and so for keys. */
interface LearnedProjection {
  /** [d′, G·d]. */
  queryWeight: Float32Array;
  /** [d′]. */
  queryBias: Float32Array;
  keyWeight: Float32Array;
  keyBias: Float32Array;
}

/** What was measured or learned on training text and ships beside a model. Arrays may be views of the file: read only. */
export interface Calibration {
  /** How it was made, as its metadata say. */
  readonly metadata: Readonly<Record<string, string>>;
  /** Whether there are second moments of all layers. */
  readonly hasSecondMoments: boolean;
  /** Learned projections that are there for all layers: the constant position w of their queries, and d′. */
  readonly learned: readonly { readonly rotation: number; readonly dimension: number }[];
  /** Null unless `hasSecondMoments`. */
  secondMoments(layer: number): SecondMoments | null;
  /** Null unless `learned` has this pair. */
  learnedProjection(layer: number, rotation: number, dimension: number): LearnedProjection | null;
}

/**
 * Checks a calibration against the model that it lies beside. Unknown tensors are ignored; of a kind that is there at all,
 * every layer must be, in its shape. UserError, one sentence, otherwise.
 */
export function readCalibration(file: SafetensorsFile, config: ModelConfig): Calibration {
  const { format } = file.metadata;
  if (format !== CALIBRATION_FORMAT) {
    const found = format === undefined ? 'no format' : `format ${quote(format)}`;
    throw new UserError(`${CALIBRATION_FILE} has ${found}; this version reads ${CALIBRATION_FORMAT}.`);
  }
  const channels = config.keyValueHeads * config.headDimension;
  const layers = Array.from({ length: config.layers }, (_, layer) => layer);
  const names = file.names();

  const hasSecondMoments = names.some((name) => /^(query|key)_second_moment\./.test(name));
  if (hasSecondMoments) {
    for (const layer of layers) {
      checkShape(file, `query_second_moment.${layer}`, [channels, channels]);
      checkShape(file, `key_second_moment.${layer}`, [channels, channels]);
    }
  }
  const learned = findLearned(names, channels);
  for (const { rotation, dimension } of learned) {
    for (const layer of layers) {
      for (const side of ['query', 'key']) {
        checkShape(file, `learned.${rotation}.${dimension}.${side}_weight.${layer}`, [dimension, channels]);
        checkShape(file, `learned.${rotation}.${dimension}.${side}_bias.${layer}`, [dimension]);
      }
    }
  }
  return {
    metadata: file.metadata,
    hasSecondMoments,
    learned,
    secondMoments: (layer) =>
      hasSecondMoments
        ? {
            query: file.float32(`query_second_moment.${layer}`),
            key: file.float32(`key_second_moment.${layer}`),
          }
        : null,
    learnedProjection: (layer, rotation, dimension) => {
      if (!learned.some((entry) => entry.rotation === rotation && entry.dimension === dimension)) return null;
      const read = (part: string) => file.float32(`learned.${rotation}.${dimension}.${part}.${layer}`);
      return {
        queryWeight: read('query_weight'),
        queryBias: read('query_bias'),
        keyWeight: read('key_weight'),
        keyBias: read('key_bias'),
      };
    },
  };
}

function findLearned(names: readonly string[], channels: number): { rotation: number; dimension: number }[] {
  const found = new Map<string, { rotation: number; dimension: number }>();
  for (const name of names) {
    const match = /^learned\.(0|[1-9]\d{0,8})\.([1-9]\d{0,8})\./.exec(name);
    if (match)
      found.set(`${match[1]}.${match[2]}`, { rotation: Number(match[1]), dimension: Number(match[2]) });
  }
  for (const { dimension } of found.values()) {
    if (dimension > channels) {
      throw new UserError(
        `${CALIBRATION_FILE} has a projection to ${dimension} channels, more than the ${channels} there are.`,
      );
    }
  }
  return [...found.values()].sort((a, b) => a.rotation - b.rotation || a.dimension - b.dimension);
}

function checkShape(file: SafetensorsFile, name: string, expected: readonly number[]): void {
  const found = file.shape(name);
  if (!shapesEqual(found, expected)) {
    throw new UserError(
      `${CALIBRATION_FILE}: ${name} has shape ${shapeText(found)}, but the model calls for ${shapeText(expected)}.`,
    );
  }
}
