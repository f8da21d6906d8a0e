import { describe, expect, test } from 'vitest';
import { createCpuOps } from '../../gpu/cpu';
import { architectureFixtures, compareArchitecture } from './architectures';

describe('random models agree with transformers', () => {
  test.each(architectureFixtures)('%s', async (name) => {
    const ops = createCpuOps();
    const { logits, hidden } = await compareArchitecture(ops, name);
    expect(logits).toBeLessThan(1e-4);
    expect(hidden).toBeLessThan(1e-4);
    expect(ops.memory().bytes, 'everything is released').toBe(0);
    ops.destroy();
  });
});
