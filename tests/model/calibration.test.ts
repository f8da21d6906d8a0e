import { describe, expect, test } from 'vitest';
import { UserError } from '../../src/base/user-error';
import { parseConfig } from '../../src/model/architectures/parse-config';
import { readCalibration } from '../../src/model/calibration';
import { readSafetensors } from '../../src/model/files/safetensors';
import { type TensorToWrite, writeSafetensors } from '../../src/model/files/safetensors-writer';
import { fileJson } from './files';

// 3 layers, G·d = 32.
const config = await parseConfig(fileJson('tests/fixtures/llama-gqa/config.json'));
const CHANNELS = 32;
let filled = 0;

const tensor = (dtype: 'F32' | 'F16', ...shape: number[]): TensorToWrite => {
  filled++;
  const length = shape.reduce((product, size) => product * size, 1);
  return { dtype, shape, data: new Float32Array(length).fill(filled) };
};

function complete(): Record<string, TensorToWrite> {
  const tensors: Record<string, TensorToWrite> = { something_else: tensor('F32', 1) };
  for (let layer = 0; layer < config.layers; layer++) {
    tensors[`query_second_moment.${layer}`] = tensor('F32', CHANNELS, CHANNELS);
    tensors[`key_second_moment.${layer}`] = tensor('F32', CHANNELS, CHANNELS);
    for (const [rotation, dimension] of [
      [384, 8],
      [128, 16],
      [128, 8],
    ]) {
      for (const side of ['query', 'key']) {
        tensors[`learned.${rotation}.${dimension}.${side}_weight.${layer}`] = tensor(
          'F16',
          dimension!,
          CHANNELS,
        );
        tensors[`learned.${rotation}.${dimension}.${side}_bias.${layer}`] = tensor('F16', dimension!);
      }
    }
  }
  return tensors;
}

const metadata = { format: 'keyhole-calibration-1', seed: '7' };
const read = (tensors: Record<string, TensorToWrite>, strings: Record<string, string> = metadata) =>
  readCalibration(
    readSafetensors(writeSafetensors(tensors, strings), 'keyhole-calibration.safetensors'),
    config,
  );

const without = (tensors: Record<string, TensorToWrite>, pattern: RegExp) =>
  Object.fromEntries(Object.entries(tensors).filter(([name]) => !pattern.test(name)));

test('a complete calibration gives each layer its own tensors', () => {
  const tensors = complete();
  const calibration = read(tensors);
  expect(calibration.metadata.seed).toBe('7');
  expect(calibration.learned).toEqual([
    { rotation: 128, dimension: 8 },
    { rotation: 128, dimension: 16 },
    { rotation: 384, dimension: 8 },
  ]);
  for (let layer = 0; layer < config.layers; layer++) {
    expect(calibration.secondMoments(layer)).toEqual({
      query: tensors[`query_second_moment.${layer}`]!.data,
      key: tensors[`key_second_moment.${layer}`]!.data,
    });
    expect(calibration.learnedProjection(layer, 128, 16)).toEqual({
      queryWeight: tensors[`learned.128.16.query_weight.${layer}`]!.data,
      queryBias: tensors[`learned.128.16.query_bias.${layer}`]!.data,
      keyWeight: tensors[`learned.128.16.key_weight.${layer}`]!.data,
      keyBias: tensors[`learned.128.16.key_bias.${layer}`]!.data,
    });
  }
  expect(calibration.learnedProjection(0, 384, 16)).toBe(null);
});

test('either kind may be missing', () => {
  const learnedOnly = read(without(complete(), /second_moment/));
  expect([learnedOnly.hasSecondMoments, learnedOnly.secondMoments(0)]).toEqual([false, null]);
  expect(read(without(complete(), /learned/)).learned).toEqual([]);
});

describe('is refused in a sentence', () => {
  test.each<[string, () => unknown, string]>([
    ['no format', () => read(complete(), {}), 'has no format; this version reads keyhole-calibration-1.'],
    ['another format', () => read(complete(), { format: 'x' }), 'has format "x"; this version reads'],
    [
      'a layer without moments',
      () => read(without(complete(), /^key_second_moment.2/)),
      'has no tensor "key_second_moment.2".',
    ],
    [
      'a layer without a bias',
      () => read(without(complete(), /^learned.128.8.key_bias.1/)),
      'has no tensor "learned.128.8.key_bias.1".',
    ],
    [
      'another model’s moments',
      () => read({ ...complete(), 'query_second_moment.1': tensor('F32', 16, 16) }),
      'query_second_moment.1 has shape [16, 16], but the model calls for [32, 32].',
    ],
    [
      'a projection to more channels',
      () => read({ 'learned.1.64.query_bias.0': tensor('F16', 64) }),
      'has a projection to 64 channels, more than the 32 there are.',
    ],
  ])('%s', (_, attempt, sentence) => {
    expect(attempt).toThrow(UserError);
    expect(attempt).toThrow(sentence);
  });
});
