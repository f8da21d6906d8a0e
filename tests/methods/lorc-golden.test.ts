/** LoRC against its formulas in double precision (tests/fixtures/README.md): singular values, keys, values, logits and attention. */
import { afterAll, describe, expect, it } from 'vitest';
import { createCpuOps } from '../../gpu/cpu';
import type { Ops } from '../../gpu/ops';
import { matrixRows, type Rows } from '../../gpu/rows';
import { createWebGpuOps } from '../../gpu/webgpu';
import { generate } from '../../src/engine/generation';
import { TRANSFORMED_CACHE_REASON } from '../../src/measure/made-cache';
import { measureLayers } from '../../src/measure/measure-layers';
import { contextOf, startTraceRun } from '../../src/measure/trace-run';
import { lorc } from '../../src/methods/lorc';
import { resolveParameters } from '../../src/methods/parameters';
import { forward, readLayer } from '../../src/model/decoder/forward';
import { traceOfSession } from '../../src/trace/from-decoder';
import { tinyDecoder } from '../engine/tiny-model';
import { fixtureTensors } from '../model/files';
import { describeWebGpu } from '../webgpu-node';
import { expected, runs } from './fixture';
import { type RunAgreement, writeAgreement } from './fixtures-suite';

const dense = fixtureTensors('llama-gqa/expected.safetensors');
const ids = Uint32Array.from(dense.int32('input_ids'));
const tokens = ids.length;
const [shown, heads, groups, channels] = [24, 4, 2, 16];

/** Of every run its parameters, the ranks of the rule among them. */
const lorcRuns = Object.entries(runs).flatMap(([name, { keyhole }]) => {
  if (keyhole.id !== 'lorc') return [];
  const { keyRanks, valueRanks, ...rule } = keyhole.params;
  const given = rule.rule === 'given' ? { keyRanks, valueRanks, ...rule } : rule;
  return [{ name, given, keyRanks: keyRanks as number[], valueRanks: valueRanks as number[] }];
});

/** Largest difference, relative to the largest number wanted. */
function difference(actual: ArrayLike<number>, wanted: Float32Array): number {
  expect(actual.length).toBe(wanted.length);
  let [worst, largest] = [0, 0];
  for (let i = 0; i < wanted.length; i++) {
    worst = Math.max(worst, Math.abs(actual[i]! - wanted[i]!));
    largest = Math.max(largest, Math.abs(wanted[i]!));
  }
  expect(largest).toBeGreaterThan(0);
  return worst / largest;
}

/** A view as dense [heads, rows, channels]. */
async function densely(ops: Ops, view: Rows): Promise<Float32Array> {
  const data = await ops.readFloats(view.buffer);
  const out = new Float32Array(view.heads * view.rows * view.channels);
  for (let h = 0, at = 0; h < view.heads; h++) {
    for (let row = 0; row < view.rows; row++) {
      const from = view.offset + h * view.headStride + row * view.rowStride;
      out.set(data.subarray(from, from + view.channels), at);
      at += view.channels;
    }
  }
  return out;
}

/** softmax(q·k ÷ √d) of the last queries over all keys, [H, shown, T], in double precision. */
function attentionOfLast(query: Float32Array, key: Float32Array): Float32Array {
  const out = new Float32Array(heads * shown * tokens);
  for (let h = 0; h < heads; h++) {
    for (let row = 0; row < shown; row++) {
      const place = tokens - shown + row;
      const at = (h * tokens + place) * channels;
      const scores = Array.from({ length: place + 1 }, (_, t) => {
        const of = (Math.floor((h * groups) / heads) * tokens + t) * channels;
        let sum = 0;
        for (let c = 0; c < channels; c++) sum += query[at + c]! * key[of + c]!;
        return sum / Math.sqrt(channels);
      });
      const largest = Math.max(...scores);
      const sum = scores.reduce((total, score) => total + Math.exp(score - largest), 0);
      for (const [t, score] of scores.entries())
        out[(h * shown + row) * tokens + t] = Math.exp(score - largest) / sum;
    }
  }
  return out;
}

function describeLorc(backend: string, create: () => Promise<Ops>, tolerance: number): void {
  const results = new Map<string, RunAgreement>();
  /** The difference, put into the table of docs/methods.md under this name. */
  const compare = (run: string, what: string, actual: ArrayLike<number>, wanted: Float32Array): number => {
    const found = difference(actual, wanted);
    const none = { scores: null, sets: 0, candidates: 0, inside: 0, insideSets: [] };
    const others: Record<string, number> = results.get(run)?.others ?? {};
    results.set(run, { ...none, others: { ...others, [what]: Math.max(found, others[what] ?? 0) } });
    return found;
  };
  afterAll(() => {
    if (process.env.WRITE_AGREEMENT) writeAgreement(backend, results);
  });

  describe.each(lorcRuns)(`$name on ${backend}`, ({ name, given, keyRanks, valueRanks }) => {
    const of = (tensor: string): Float32Array => expected.float32(`${name}.${tensor}`);

    it('has the singular values, ranks, keys and values of the formulas on a trace', async () => {
      const ops = await create();
      const decoder = await tinyDecoder(ops);
      const { reader } = await forward(decoder, ids, { keepStates: 'none', keepHidden: true });
      const text = traceOfSession(decoder, reader, { tokens, calibration: null });
      const parameters = resolveParameters(lorc, given, contextOf(text));
      const started = await startTraceRun(text, lorc, parameters, tokens);
      for (const recorded of text.layerTraces) {
        const { layer } = recorded;
        const { key, value } = started.run.spectra!(layer);
        expect([key.rank, value.rank]).toEqual([keyRanks[layer], valueRanks[layer]]);
        expect(compare(name, 'spectra', key.values, of(`singular_key.${layer}`))).toBeLessThan(1e-6);
        expect(compare(name, 'spectra', value.values, of(`singular_value.${layer}`))).toBeLessThan(1e-6);
        const input = started.inputOf(recorded, { start: 0, end: tokens });
        expect(
          compare(name, 'probe keys', await densely(ops, input.key), of(`probe_key.${layer}`)),
        ).toBeLessThan(tolerance);
        expect(
          compare(name, 'probe values', await densely(ops, input.value), of(`probe_value.${layer}`)),
        ).toBeLessThan(tolerance);
        const full = started.fullInputOf(recorded, { start: 0, end: tokens });
        expect(difference(await densely(ops, full.key), dense.float32(`key.${layer}`))).toBeLessThan(
          tolerance,
        );
      }
      started.dispose();
      text.release();
      decoder.release();
      ops.destroy();
    });

    it('has their keys, values, logits and attention in a free run', async () => {
      const ops = await create();
      const decoder = await tinyDecoder(ops);
      const { config } = decoder;
      const parameters = resolveParameters(lorc, given, { ...config, tokens });
      const { session, queryStates } = await generate({
        ...{
          decoder,
          method: lorc,
          parameters,
          calibration: null,
          layerTraces: null,
          ids,
          answerStart: null,
        },
        ...{ queriesStart: 0, keepQueries: true, isAnswerComplete: () => true },
        ...{ signal: new AbortController().signal, onProgress: () => {} },
      });
      for (let layer = 0; layer < config.layers; layer++) {
        const { query, key, value } = await readLayer(decoder, session, layer, tokens);
        expect(compare(name, 'keys', key, of(`key.${layer}`))).toBeLessThan(tolerance);
        expect(compare(name, 'values', value, of(`value.${layer}`))).toBeLessThan(tolerance);
        if (!expected.has(`${name}.attention_last24.${layer}`)) continue;
        const attention = of(`attention_last24.${layer}`);
        expect(compare(name, 'attention', attentionOfLast(query, key), attention)).toBeLessThan(
          10 * tolerance,
        );
      }
      const states = matrixRows(ops.upload(queryStates, 'states'), tokens, config.hiddenSize);
      const logits = matrixRows(
        ops.allocate('f32', tokens * config.vocabularySize, 'logits'),
        tokens,
        config.vocabularySize,
      );
      session.logits(states, logits);
      expect(compare(name, 'logits', await ops.readFloats(logits.buffer), of('logits'))).toBeLessThan(
        tolerance,
      );
      session.release();
      decoder.release();
      ops.destroy();
    });
  });

  it(`is measured by its outputs, without recall by tokens, on ${backend}`, async () => {
    const ops = await create();
    const decoder = await tinyDecoder(ops);
    const { reader } = await forward(decoder, ids, { keepStates: 'none', keepHidden: true });
    const text = traceOfSession(decoder, reader, { tokens, answerStart: 92, calibration: null });
    const measure = async (keyRanks: number, valueRanks: number) => {
      const parameters = resolveParameters(lorc, { keyRanks, valueRanks }, contextOf(text));
      return measureLayers({ text, method: lorc, parameters, queries: { start: 72, end: tokens } });
    };
    const [half, all] = [await measure(16, 16), await measure(32, 32)];
    for (const [layer, { reason, massRecall, topkRecall, keptShare, ...measured }] of half.entries()) {
      expect([reason, massRecall, topkRecall]).toEqual([TRANSFORMED_CACHE_REASON, null, null]);
      expect(keptShare).toBe(1);
      expect(measured.spectra!.key.rank).toBe(16);
      expect(measured.outputError).toBeGreaterThan(0.01);
      expect(measured.outputErrorAsRun).toBe(measured.outputError);
      // At full rank the model's own maps are used.
      expect(all[layer]!.outputError).toBeLessThan(1e-5);
    }
    text.release();
    decoder.release();
    ops.destroy();
  });
}

describeLorc('CPU', async () => createCpuOps(), 1e-5);
describeWebGpu('in Node', (gpu) => {
  describeLorc('WebGPU', () => createWebGpuOps({ device: gpu.device }), 1e-4);
});
