import { afterAll, expect, test } from 'vitest';
import { createWebGpuOps } from '../../gpu/webgpu';
import { describeWebGpu } from '../webgpu-node';
import {
  type ArchitectureAgreement,
  architectureFixtures,
  compareArchitecture,
  recordAgreement,
} from './architectures';
import { checkDecoderFixture, decoderFixtures } from './decoder-fixtures';

describeWebGpu('the decoder agrees with PyTorch on WebGPU', (gpu) => {
  test.each(decoderFixtures)('%s', async (name) => {
    const ops = await createWebGpuOps({ device: gpu.device });
    await checkDecoderFixture(ops, name, 1e-3);
    ops.destroy();
  });
});

describeWebGpu('random models agree with transformers on WebGPU', (gpu) => {
  const found: Record<string, ArchitectureAgreement> = {};
  afterAll(() => recordAgreement('webgpu', found));

  test.each(architectureFixtures)('%s', async (name) => {
    const ops = await createWebGpuOps({ device: gpu.device });
    found[name] = await compareArchitecture(ops, name);
    expect(found[name].logits).toBeLessThan(1e-4);
    expect(found[name].hidden).toBeLessThan(1e-4);
    ops.destroy();
  });
});
