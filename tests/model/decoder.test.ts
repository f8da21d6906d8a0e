import { describe, expect, test } from 'vitest';
import { createCpuOps } from '../../gpu/cpu';
import { checkDecoderFixture, decoderFixtures } from './decoder-fixtures';

describe('the decoder agrees with PyTorch', () => {
  test.each(decoderFixtures)('%s', async (name) => {
    const ops = createCpuOps();
    await checkDecoderFixture(ops, name, 1e-4);
    expect(ops.memory().bytes, 'everything is released').toBe(0);
    ops.destroy();
  });
});
