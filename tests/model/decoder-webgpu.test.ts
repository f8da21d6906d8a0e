import { test } from 'vitest';
import { createWebGpuOps } from '../../gpu/webgpu';
import { describeWebGpu } from '../webgpu-node';
import { checkDecoderFixture, decoderFixtures } from './decoder-fixtures';

describeWebGpu('the decoder agrees with PyTorch on WebGPU', (gpu) => {
  test.each(decoderFixtures)('%s', async (name) => {
    const ops = await createWebGpuOps({ device: gpu.device });
    await checkDecoderFixture(ops, name, 1e-3);
    ops.destroy();
  });
});
