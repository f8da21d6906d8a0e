/** Weights and results that are not finite: one sentence that names tensor and layer. */
import { describe, expect, test } from 'vitest';
import { createCpuOps } from '../../gpu/cpu';
import { firstNotFinite } from '../../src/base/finite';
import { isUserError } from '../../src/base/user-error';
import { Engine } from '../../src/engine/engine';
import { openModel } from '../../src/engine/open-model';
import { checkMeasured } from '../../src/model/decoder/check-finite';
import { forward } from '../../src/model/decoder/forward';
import { bytesInMemory } from '../../src/model/files/file-bytes';
import { readSafetensors } from '../../src/model/files/safetensors';
import { writeSafetensors } from '../../src/model/files/safetensors-writer';
import type { ModelFolder } from '../../src/model/load';
import type { StudySpec } from '../../src/study/spec';
import { fileBytes } from './files';

const files = Object.fromEntries(
  ['config.json', 'tokenizer.json', 'model.safetensors'].map((name) => [
    name,
    fileBytes(`samples/model/${name}`),
  ]),
);
const whole = readSafetensors(files['model.safetensors']!);

/** The bundled model with one tensor changed. */
function changedModel(name: string, change: (values: Float32Array) => void): ModelFolder {
  const tensors = Object.fromEntries(
    whole.names().map((each) => {
      const data = whole.float32(each).slice();
      if (each === name) change(data);
      return [each, { dtype: 'F32' as const, shape: whole.shape(each), data }];
    }),
  );
  const weights = writeSafetensors(tensors);
  return {
    name: 'changed',
    open: async (path) => {
      const bytes = path === 'model.safetensors' ? weights : files[path];
      return bytes ? bytesInMemory(path, new Uint8Array(bytes)) : null;
    },
  };
}

const spec: StudySpec = {
  model: 'changed',
  source: { kind: 'text', text: 'The rector had advised it, and nobody knew why.' },
  startToken: null,
  method: { id: 'streaming-llm', parameters: { keepFraction: 0.5 } },
  pinned: [],
  queriesStart: null,
};

/** What a study says of a model, and whether a number that is not finite left the engine before. */
async function sentenceOf(folder: ModelFolder): Promise<string> {
  const ops = createCpuOps();
  const engine = new Engine(ops, { modelFolder: () => folder, sampleTexts: async () => [] });
  const measured: unknown[] = [];
  try {
    await engine.run({
      ...{ spec, parts: ['probe', 'free'], signal: new AbortController().signal, full: null },
      onFull() {},
      emit: (event) => event.name === 'measured' && measured.push(event.value),
    });
  } catch (error) {
    if (!isUserError(error)) throw error;
    for (const part of measured) checkMeasured(part);
    return error.message;
  } finally {
    ops.destroy();
  }
  return 'no sentence';
}

test('the first value that is none is found, at every place and of every kind', () => {
  for (const length of [0, 1, 4095, 4096, 4097, 10_000]) {
    const values = Float32Array.from({ length }, (_, i) => (i % 2 ? -3e38 : 3e38));
    expect(firstNotFinite(values)).toBe(-1);
    for (const at of [0, 4095, 4096, length - 1]) {
      if (at < 0 || at >= length) continue;
      for (const wrong of [Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY]) {
        const changed = values.slice();
        changed[at] = wrong;
        changed[length - 1] = wrong;
        expect(firstNotFinite(changed)).toBe(at);
      }
    }
  }
});

describe('weights', () => {
  test.each([
    [
      'model.layers.3.self_attn.v_proj.weight',
      Number.NaN,
      /^Tensor "model\.layers\.3\.self_attn\.v_proj\.weight" of layer 3 holds NaN at \[1, 2\];/,
    ],
    [
      'model.layers.7.mlp.down_proj.weight',
      Number.POSITIVE_INFINITY,
      /of layer 7 holds Infinity at \[\d+, \d+\];/,
    ],
    [
      'model.embed_tokens.weight',
      Number.NEGATIVE_INFINITY,
      /^Tensor "model\.embed_tokens\.weight" holds -Infinity at \[/,
    ],
    ['model.norm.weight', Number.NaN, /^Tensor "model\.norm\.weight" holds NaN at \[\d+\];/],
  ])('%s with %s', async (name, wrong, sentence) => {
    const shape = whole.shape(name);
    const at = shape.length > 1 ? shape[1]! + 2 : 5;
    const folder = changedModel(name, (values) => {
      values[at] = wrong;
    });
    const said = await sentenceOf(folder);
    expect(said).toMatch(sentence);
    expect(said).toMatch(/^[^\n]+\.$/);
  });
});

describe('finite weights whose results are not', () => {
  test.each([
    ['model.layers.3.self_attn.k_proj.weight', 'In layer 3 the keys are not finite'],
    ['model.layers.2.self_attn.v_proj.weight', 'In layer 2 the values are not finite'],
    ['model.layers.4.mlp.down_proj.weight', 'In layer 4 the hidden states are not finite'],
    ['model.layers.7.mlp.down_proj.weight', 'After layer 7, the last, the hidden states are not finite'],
  ])('%s of 3e38', async (name, start) => {
    const folder = changedModel(name, (values) => values.fill(3e38));
    expect(await sentenceOf(folder)).toMatch(
      new RegExp(`^${start}[^\\n]*: the model's weights are damaged, or too large`),
    );
    const ops = createCpuOps();
    const { decoder } = await openModel(ops, folder);
    for (const keepStates of ['all', 'last', 'none'] as const) {
      const run = forward(decoder, Uint32Array.of(5, 6, 7, 8), { keepStates });
      // Without states only what is kept can be looked at.
      if (keepStates !== 'none' || !name.includes('layers.7'))
        await expect(run).rejects.toSatisfy(isUserError);
      else (await run).reader.release();
    }
    ops.destroy();
  });

  test('logits too large for 32 bits', async () => {
    const folder = changedModel('model.norm.weight', (values) => values.fill(3e38));
    expect(await sentenceOf(folder)).toMatch(/not finite/);
  });
});

test('measured numbers are looked through to the last', () => {
  expect(() => checkMeasured({ layers: [{ layer: 2, massRecall: Number.NaN }] })).toThrow(
    'The measured layers of layer 2: massRecall is not finite',
  );
  checkMeasured({ layers: [{ layer: 2, massRecall: null }], sweep: null, text: 'NaN' });
});
