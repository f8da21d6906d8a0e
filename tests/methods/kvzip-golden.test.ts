/** KVzip against kvpress (tests/fixtures/README.md): scores, what stays of every head, and the attention that it gets. */
import { afterAll, describe, expect, it } from 'vitest';
import { createCpuOps } from '../../gpu/cpu';
import type { Ops } from '../../gpu/ops';
import { createWebGpuOps } from '../../gpu/webgpu';
import { readKept, readScores, setOfHead, visibleTokens } from '../../src/measure/selection-reader';
import { contextOf, startTraceRun } from '../../src/measure/trace-run';
import { kvzip } from '../../src/methods/kvzip';
import { resolveParameters } from '../../src/methods/parameters';
import { forward } from '../../src/model/decoder/forward';
import { type OwnedTrace, traceOfSession } from '../../src/trace/from-decoder';
import { tinyDecoder } from '../engine/tiny-model';
import { fixtureTensors } from '../model/files';
import { describeWebGpu } from '../webgpu-node';
import { compareChosen, LEAST_OUTSIDE } from './agreement';
import { expected, expectedKept, expectedScores, runs } from './fixture';
import { type RunAgreement, writeAgreement } from './fixtures-suite';

const dense = fixtureTensors('llama-gqa/expected.safetensors');
const ids = Uint32Array.from(dense.int32('input_ids'));
const tokens = ids.length;
const [heads, groups, shown] = [4, 2, 24];
const kvzipRuns = Object.keys(runs).filter((name) => runs[name]!.keyhole.id === 'kvzip');

async function readText(ops: Ops): Promise<OwnedTrace> {
  const decoder = await tinyDecoder(ops);
  const { reader } = await forward(decoder, ids, { keepStates: 'none' });
  return traceOfSession(decoder, reader, {
    tokens,
    calibration: null,
    read: { ids, encode: null, textsOf: null },
  });
}

function describeRuns(backend: string, create: () => Promise<Ops>, tolerance: number) {
  const results = new Map<string, RunAgreement>();
  afterAll(() => {
    if (process.env.WRITE_AGREEMENT) writeAgreement(backend, results);
  });

  it.each(kvzipRuns)('%s', async (name) => {
    const ops = await create();
    const text = await readText(ops);
    const parameters = resolveParameters(kvzip, runs[name]!.keyhole.params, contextOf(text));
    const started = await startTraceRun(text, kvzip, parameters, tokens);
    const result = {
      scores: 0,
      sets: 0,
      candidates: 0,
      inside: 0,
      insideSets: [] as string[],
      others: { mass: 0 },
    };
    const faults: string[] = [];
    for (const recorded of text.layerTraces) {
      const { layer } = recorded;
      const selection = started.run.select(started.inputOf(recorded, { start: tokens, end: tokens }));
      const kept = await readKept(ops, selection, groups);
      const agreement = compareChosen(
        {
          kept: kept.sets.map((_, set) => [...visibleTokens(kept, set, tokens)]),
          scores: await readScores(ops, selection, tokens),
        },
        { kept: expectedKept(`${name}.kept.${layer}`), scores: expectedScores(`${name}.score.${layer}`) },
        { tolerance, candidates: selection.candidates, breaksTies: false, leastOutside: 0.01 },
      );
      faults.push(...agreement.faults);
      result.scores = Math.max(result.scores, agreement.scores!);
      result.sets += groups;
      result.candidates += agreement.candidates;
      result.inside += agreement.inside;
      result.insideSets.push(
        ...agreement.insideBySet.map(({ set, keys }) => `kept.${layer}, set ${set}: ${keys}`),
      );
      const mass = expected.float32(`${name}.mass.${layer}`);
      const attention = dense.float32(`attention.${layer}`);
      for (let head = 0; head < heads; head++) {
        for (let i = 0; i < shown; i++) {
          const query = tokens - shown + i;
          const seen = kept.sets[setOfHead(kept.sets, head, heads)]!.filter((token) => token <= query);
          const sum = seen.reduce(
            (all, token) => all + attention[(head * tokens + query) * tokens + token]!,
            0,
          );
          result.others.mass = Math.max(result.others.mass, Math.abs(sum - mass[head * shown + i]!));
        }
      }
    }
    expect(faults).toEqual([]);
    expect(result.others.mass).toBeLessThan(tolerance);
    expect(result.candidates - result.inside).toBeGreaterThanOrEqual(LEAST_OUTSIDE * result.candidates);
    results.set(name, result);
    started.dispose();
    text.release();
    ops.destroy();
  });
}

describe('on CPU', () => describeRuns('CPU', async () => createCpuOps(), 1e-5));
describeWebGpu('in Node', (gpu) => {
  describeRuns('WebGPU', () => createWebGpuOps({ device: gpu.device }), 1e-4);
});
