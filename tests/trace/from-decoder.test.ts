import { describe, expect, test } from 'vitest';
import { createCpuOps } from '../../gpu/cpu';
import { measureLayers } from '../../src/measure/measure-layers';
import { contextOf } from '../../src/measure/trace-run';
import { methodById } from '../../src/methods';
import { resolveParameters } from '../../src/methods/parameters';
import { readCapture } from '../../src/model/capture/capture';
import { readSafetensors } from '../../src/model/files/safetensors';
import { type TensorToWrite, writeSafetensors } from '../../src/model/files/safetensors-writer';
import { traceOfCapture } from '../../src/trace/from-decoder';
import { draw, lcg } from '../golden/lcg';
import { inputs, shape } from '../methods/fixture';

const { tokens: T, queryHeads: H, keyValueHeads: G, headDimension: d } = shape;
const metadata = { format: 'keyhole-capture-1', layers: '4', rope_theta: '10000' };

/** The fixtures' capture with only `layers`. */
function captureOf(layers: readonly number[], changed: Record<string, string> = {}) {
  const tensors: Record<string, TensorToWrite> = {};
  for (const layer of layers) {
    for (const part of ['query', 'key', 'value']) {
      const name = `${part}.${layer}`;
      tensors[name] = { dtype: 'F32', shape: inputs.shape(name), data: inputs.float32(name) };
    }
  }
  return readCapture(readSafetensors(writeSafetensors(tensors, { ...metadata, ...changed })));
}

/** ln Σ exp(q·k·scale) over the keys that each query sees, [H, T], in double precision. */
function naiveLogSumExp(query: Float32Array, key: Float32Array, tokens: number, scale: number): Float64Array {
  const out = new Float64Array(H * tokens);
  for (let h = 0; h < H; h++) {
    const g = Math.floor((h * G) / H);
    for (let i = 0; i < tokens; i++) {
      const scores = Array.from({ length: i + 1 }, (_, t) => {
        let sum = 0;
        for (let c = 0; c < d; c++) sum += query[(h * tokens + i) * d + c]! * key[(g * tokens + t) * d + c]!;
        return sum * scale;
      });
      const largest = Math.max(...scores);
      out[h * tokens + i] =
        largest + Math.log(scores.reduce((sum, score) => sum + Math.exp(score - largest), 0));
    }
  }
  return out;
}

async function expectLogSumExp(actual: Float32Array, wanted: Float64Array): Promise<void> {
  expect(actual.length).toBe(wanted.length);
  const worst = wanted.reduce((most, value, i) => Math.max(most, Math.abs(value - actual[i]!)), 0);
  expect(worst).toBeLessThan(1e-4);
}

describe('the log-sum-exp of a capture', () => {
  test('normalises queries and keys to PyTorch’s attention', async () => {
    const ops = createCpuOps();
    const text = await traceOfCapture(ops, await readCapture(inputs));
    for (const { layer, logSumExp } of text.layerTraces) {
      const lse = await ops.readFloats(logSumExp.buffer);
      const query = inputs.float32(`query.${layer}`);
      const key = inputs.float32(`key.${layer}`);
      await expectLogSumExp(lse, naiveLogSumExp(query, key, T, 1 / Math.sqrt(d)));
      const attention = inputs.float32(`attention.${layer}`);
      for (const [h, i, t] of [
        [0, 191, 0],
        [1, 100, 100],
        [2, 57, 31],
        [3, 190, 12],
      ]) {
        const g = Math.floor((h! * G) / H);
        let score = 0;
        for (let c = 0; c < d; c++) score += query[(h! * T + i!) * d + c]! * key[(g * T + t!) * d + c]!;
        expect(Math.exp(score / Math.sqrt(d) - lse[h! * T + i!]!)).toBeCloseTo(
          attention[(h! * T + i!) * T + t!]!,
          5,
        );
      }
    }
  });

  test('follows the capture’s scale, and goes on past one block of queries', async () => {
    const tokens = 300;
    const next = lcg(8);
    const tensor = (heads: number): TensorToWrite => ({
      dtype: 'F32',
      shape: [heads, tokens, d],
      data: draw(next, heads * tokens * d),
    });
    const tensors = { 'query.0': tensor(H), 'key.0': tensor(G), 'value.0': tensor(G) };
    const file = writeSafetensors(tensors, { ...metadata, layers: '1', attention_scale: '0.7' });
    const capture = await readCapture(readSafetensors(file));
    const ops = createCpuOps();
    const text = await traceOfCapture(ops, capture);
    const lse = await ops.readFloats(text.layerTraces[0]!.logSumExp.buffer);
    const { query, key } = await capture.layer(0);
    await expectLogSumExp(lse, naiveLogSumExp(query, key, tokens, 0.7));
  });
});

describe('a capture with some of its layers', () => {
  const ops = createCpuOps();

  test('keeps their numbers, and methods their parameters by layer', async () => {
    const text = await traceOfCapture(ops, await captureOf([1, 3]));
    expect(text).toMatchObject({ layers: 4, tokens: T, queryHeads: H, keyValueHeads: G, headDimension: d });
    expect(text.layerTraces.map(({ layer }) => layer)).toEqual([1, 3]);
    const method = methodById('streaming-llm');
    const keepFraction = [0.1, 0.25, 0.1, 0.75];
    const parameters = resolveParameters(method, { keepFraction }, contextOf(text));
    const queries = { start: 168, end: T };
    const some = await measureLayers({ text, method, parameters, queries });
    const whole = await traceOfCapture(ops, await readCapture(inputs));
    const all = await measureLayers({ text: whole, method, parameters, queries });
    expect(some).toEqual([all[1], all[3]]);
    expect(some[1]!.keptKeys).toBeGreaterThan(some[0]!.keptKeys);
    text.release();
    whole.release();
  });

  test('without room for all is refused with how many there is room for, and nothing stays', async () => {
    const layerBytes = 4 * T * (2 * H * d + 3 * G * d + H);
    const small = createCpuOps({ memoryBytes: 2.5 * layerBytes });
    const whole = await readCapture(inputs);
    await expect(traceOfCapture(small, whole)).rejects.toThrow(
      `are allowed on this device; use a capture of at most 2 layers of ${T} tokens, or of fewer tokens.`,
    );
    expect(small.memory().bytes).toBe(0);
    const text = await traceOfCapture(small, whole, [0, 3]);
    expect(text.layerTraces).toHaveLength(2);
    text.release();
    expect(small.memory().bytes).toBe(0);
    // Room for the tensors, not for the work on them.
    const tight = createCpuOps({ memoryBytes: 2 * layerBytes + 100 });
    await expect(traceOfCapture(tight, whole, [0, 3])).rejects.toThrow('would fit');
    expect(tight.memory().bytes).toBe(0);
  });

  test('can be asked for one of them', async () => {
    const text = await traceOfCapture(ops, await readCapture(inputs), [2]);
    expect(text.layerTraces.map(({ layer }) => layer)).toEqual([2]);
    const first = await ops.readFloats(text.layerTraces[0]!.key.buffer, 0, d);
    expect([...first]).toEqual([...inputs.float32('key.2').subarray(0, d)]);
    text.release();
  });

  test('has no rotation and no un-rotated tensors where nothing says how', async () => {
    const tensors = Object.fromEntries(
      ['query.0', 'key.0', 'value.0'].map((name) => [
        name,
        { dtype: 'F32' as const, shape: inputs.shape(name), data: inputs.float32(name) },
      ]),
    );
    const bytes = writeSafetensors(tensors, { format: 'keyhole-capture-1' });
    const text = await traceOfCapture(ops, await readCapture(readSafetensors(bytes)));
    expect(text).toMatchObject({ layers: 1 });
    expect(text.rotationOf(0)).toBeNull();
    expect(text.layerTraces[0]).toMatchObject({ queryUnrotated: null, keyUnrotated: null });
    text.release();
  });

  test('says how long a text the model was trained on', async () => {
    const text = await traceOfCapture(ops, await captureOf([0, 2], { trained_tokens: '64' }));
    expect(text.trainedTokens).toBe(64);
    text.release();
  });

  test('gives all of its memory back', async () => {
    const before = ops.memory().bytes;
    const text = await traceOfCapture(ops, await captureOf([0, 2], { position_offset: '100' }));
    expect(text.positionOffset).toBe(100);
    expect(text.trainedTokens, 'the capture does not say').toBeNull();
    expect(ops.memory().bytes).toBeGreaterThan(before);
    text.release();
    expect(ops.memory().bytes).toBe(before);
  });
});
