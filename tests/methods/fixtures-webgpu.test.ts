import { createWebGpuOps } from '../../gpu/webgpu';
import { describeWebGpu } from '../webgpu-node';
import { tolerances } from './agreement';
import { describeFixtures } from './fixtures-suite';

describeWebGpu('in Node', (gpu) => {
  describeFixtures('WebGPU', () => createWebGpuOps({ device: gpu.device }), tolerances.webgpu);
});
