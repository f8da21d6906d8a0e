import { afterAll, describe, expect, test } from 'vitest';
import { createCpuOps } from '../../gpu/cpu';
import {
  type ArchitectureAgreement,
  architectureFixtures,
  compareArchitecture,
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
