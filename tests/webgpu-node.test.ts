import { expect, it, vi } from 'vitest';
import { shaderOf } from '../scripts/wgsl.mjs';
import { describeWebGpu } from './webgpu-node';

const DOUBLING = /* wgsl */ `
struct Params { count: u32, addend: f32 }
@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read_write> values: array<f32>;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u) {
  if (id.x < params.count) { values[id.x] = 2.0 * values[id.x] + params.addend; }
}`;

describeWebGpu('WebGPU in Node', (gpu) => {
  it('runs a compute shader on uniforms laid out as the build reads them and leaves what lies past the end alone', async () => {
    const { device } = gpu;
    const count = 1000;
    const { parameters } = shaderOf(DOUBLING);
    expect(Object.entries(parameters)).toEqual([
      ['count', 'u32'],
      ['addend', 'f32'],
    ]);
    const settings = new ArrayBuffer(8);
    new Uint32Array(settings)[0] = count;
    new Float32Array(settings)[1] = 0.5;
    const uniform = device.createBuffer({
      size: settings.byteLength,
      usage: GPUBufferUsage.UNIFORM | GPUBufferUsage.COPY_DST,
    });
    device.queue.writeBuffer(uniform, 0, settings);
    const input = Float32Array.from({ length: count + 24 }, (_, index) => index);
    const usage = GPUBufferUsage.STORAGE | GPUBufferUsage.COPY_SRC | GPUBufferUsage.COPY_DST;
    const values = device.createBuffer({ size: input.byteLength, usage });
    device.queue.writeBuffer(values, 0, input);
    const result = device.createBuffer({
      size: input.byteLength,
      usage: GPUBufferUsage.MAP_READ | GPUBufferUsage.COPY_DST,
    });

    const pipeline = await device.createComputePipelineAsync({
      layout: 'auto',
      compute: { module: device.createShaderModule({ code: DOUBLING }) },
    });
    const encoder = device.createCommandEncoder();
    const pass = encoder.beginComputePass();
    pass.setPipeline(pipeline);
    pass.setBindGroup(
      0,
      device.createBindGroup({
        layout: pipeline.getBindGroupLayout(0),
        entries: [
          { binding: 0, resource: { buffer: uniform } },
          { binding: 1, resource: { buffer: values } },
        ],
      }),
    );
    pass.dispatchWorkgroups(Math.ceil(input.length / 64));
    pass.end();
    encoder.copyBufferToBuffer(values, 0, result, 0, input.byteLength);
    device.queue.submit([encoder.finish()]);

    await result.mapAsync(GPUMapMode.READ);
    const output = [...new Float32Array(result.getMappedRange())];
    const expected = [...input].map((value, index) => (index < count ? 2 * value + 0.5 : value));
    expect(output).toEqual(expected);
  });

  it('reports a shader that does not compile', async () => {
    const { device } = gpu;
    device.pushErrorScope('validation');
    device.createShaderModule({ code: 'fn main() { return 1; }' });
    const error = await device.popErrorScope();
    expect(error?.message).toContain('return');
  });

  it('naps before it looks for what is done, and in no other turn', async () => {
    const nap = vi.spyOn(Atomics, 'wait');
    // One behind the other, with no look in between.
    setImmediate(() => nap.mockClear());
    const given = new Promise((resolve) => setImmediate(resolve, 'given'));
    const naps = new Promise((resolve) => {
      setImmediate((() => {}).bind(null));
      setImmediate(() => resolve(nap.mock.calls.length));
    });
    expect(await given).toBe('given');
    expect(await naps).toBe(0);
    nap.mockClear();
    await gpu.device.queue.onSubmittedWorkDone();
    expect(nap).toHaveBeenCalled();
  });
});
