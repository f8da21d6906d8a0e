import { expect, it } from 'vitest';
import { profiled } from '../../bench/profile';
import { randomFloats } from '../../bench/random';
import { createCpuOps } from '../../gpu/cpu';
import { matrixRows } from '../../gpu/rows';

it('notes operations by name and gives what they give', async () => {
  const cpu = createCpuOps({ simd: false });
  const { ops, total } = profiled(cpu);
  const [rows, channels] = [64, 256];
  const numbers = rows * channels;
  const input = matrixRows(ops.upload(randomFloats(numbers, 1), 'input'), rows, channels);
  const weight = matrixRows(ops.upload(randomFloats(channels * channels, 2), 'weight'), channels, channels);
  for (const make of [ops.allocate, ops.scratch]) {
    const out = matrixRows(make.call(ops, 'f32', numbers, 'out'), rows, channels);
    ops.matmul({ input, weight, out });
    ops.copyRows({ input: out, out: input });
    expect(out.buffer.length).toBe(numbers);
  }
  const profile = await total();
  expect([...profile.keys()]).toContain('matmul');
  expect((await total()).size).toBe(0);
  expect(ops.backend).toBe('cpu');
});
