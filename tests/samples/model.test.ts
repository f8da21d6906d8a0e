import { readdirSync, readFileSync, statSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { readWeights } from '../../src/model/architectures/weights';
import { nodeFolder } from '../../src/model/files/folder-node';
import { readSafetensors } from '../../src/model/files/safetensors';
import { loadModel } from '../../src/model/load';

const FOLDER = 'samples/model';
const LARGEST_FOLDER_BYTES = 8_000_000;

describe('the bundled model', async () => {
  const model = await loadModel(nodeFolder(FOLDER));
  const { config, calibration } = model;

  it('is small enough to travel with the page', () => {
    const bytes = readdirSync(FOLDER).reduce((sum, name) => sum + statSync(`${FOLDER}/${name}`).size, 0);
    expect(bytes).toBeLessThanOrEqual(LARGEST_FOLDER_BYTES);
  });

  it('is a Llama-architecture decoder worth studying', () => {
    expect(config.architecture).toBe('llama');
    expect(config.layers).toBeGreaterThanOrEqual(8);
    expect(config.queryHeads).toBeGreaterThanOrEqual(6);
    expect(config.keyValueHeads).toBeGreaterThanOrEqual(2);
    expect(config.trainedTokens).toBe(1024);
    expect(config.rope).not.toBeNull();
    expect(config.tiedHead).toBe(true);
    expect(model.tokenizer?.start()).toEqual([0]);
    expect(model.tokenizer?.vocabularySize).toBe(config.vocabularySize);
  });

  it('has all its weights in 16 bits, finite, none of them dead', async () => {
    const file = readSafetensors(readFileSync(`${FOLDER}/model.safetensors`));
    for (const name of file.names()) {
      expect(file.tensor(name).type).toBe('F16');
      const values = file.float32(name);
      expect(values.every(Number.isFinite)).toBe(true);
      expect(values.some((value) => value !== 0)).toBe(true);
    }
    expect(await readWeights(model.source, config)).toBeTruthy();
  });

  it('brings second moments that are symmetric, with nothing negative on the diagonal', () => {
    const width = config.keyValueHeads * config.headDimension;
    expect(calibration?.hasSecondMoments).toBe(true);
    for (let layer = 0; layer < config.layers; layer++) {
      for (const moment of Object.values(calibration!.secondMoments(layer)!)) {
        expect(moment).toHaveLength(width * width);
        for (let row = 0; row < width; row++) {
          expect(moment[row * width + row]).toBeGreaterThan(0);
          for (let column = 0; column < row; column++) {
            expect(moment[row * width + column]).toBeCloseTo(moment[column * width + row]!, 4);
          }
        }
      }
    }
  });

  it('brings learned projections for both rotations and all four dimensions', () => {
    const width = config.keyValueHeads * config.headDimension;
    for (const rotation of [128, 384]) {
      for (const dimension of [32, 16, 8, 4]) {
        for (let layer = 0; layer < config.layers; layer++) {
          const learned = calibration!.learnedProjection(layer, rotation, dimension)!;
          expect(learned.queryWeight).toHaveLength(dimension * width);
          expect(learned.keyWeight).toHaveLength(dimension * width);
          expect(learned.queryBias).toHaveLength(dimension);
          expect(learned.keyBias).toHaveLength(dimension);
          for (const part of Object.values(learned)) expect(part.every(Number.isFinite)).toBe(true);
        }
      }
    }
  });
});
