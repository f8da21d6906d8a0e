import { afterAll, describe, expect, test } from 'vitest';
import { createCpuOps } from '../../gpu/cpu';
import type { PlannedBuffer } from '../../src/base/planned-buffer';
import { cacheBuffers, plannedBytes, weightBuffers } from '../../src/engine/memory/buffers';
import { forward } from '../../src/model/decoder/forward';
import {
  type ArchitectureAgreement,
  architectureFixtures,
  compareArchitecture,
  openArchitecture,
  recordAgreement,
} from './architectures';

describe('random models agree with transformers', () => {
  const found: Record<string, ArchitectureAgreement> = {};
  afterAll(() => recordAgreement('cpu', found));

  test.each(architectureFixtures)('%s', async (name) => {
    const ops = createCpuOps();
    found[name] = await compareArchitecture(ops, name);
    expect(found[name].logits).toBeLessThan(1e-4);
    expect(found[name].hidden).toBeLessThan(1e-4);
    expect(ops.memory().bytes, 'everything is released').toBe(0);
    ops.destroy();
  });
});

test.each(architectureFixtures)(
  '%s takes what its plan says, weights and caches, to the byte',
  async (name) => {
    const ops = createCpuOps();
    const { decoder, expected } = await openArchitecture(ops, name);
    const { config } = decoder;
    const planned = (buffers: PlannedBuffer[]): number => plannedBytes(buffers, ops.memoryLimits);
    const weights = planned(weightBuffers(config, ops.memoryLimits));
    expect(ops.memory().bytes).toBe(weights);
    const ids = Uint32Array.from(expected.int32('input_ids'));
    const { reader } = await forward(decoder, ids);
    reader.finish();
    const caches = cacheBuffers(config, ids.length, { keepQueries: true, keepHidden: false });
    expect(ops.memory().bytes).toBe(weights + planned(caches));
    reader.release();
    decoder.release();
    ops.destroy();
  },
);
