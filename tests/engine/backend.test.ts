import { describe, expect, test, vi } from 'vitest';
import { createCpuOps } from '../../gpu/cpu';
import { floatsOf } from '../../gpu/cpu/buffer';
import type { Ops } from '../../gpu/ops';
import { UserError } from '../../src/base/user-error';
import { openBackend } from '../../src/engine/backend';
import { selfTest } from '../../src/engine/self-test';

/** Operations that pass for a GPU's. */
function pretendGpu(change: Partial<Ops> = {}): {
  ops: Ops;
  open: () => Promise<Ops>;
  destroyed: () => number;
} {
  const destroy = vi.fn();
  const ops: Ops = {
    ...createCpuOps(),
    backend: 'webgpu',
    description: 'Imaginary GPU',
    destroy,
    ...change,
  };
  return { ops, open: async () => ops, destroyed: () => destroy.mock.calls.length };
}

/** A matrix product whose results are all off by `factor`. */
function wrongMatmul(factor: number): Partial<Ops> {
  const right = createCpuOps();
  return {
    matmul(request) {
      right.matmul(request);
      const { out } = request;
      const { buffer, offset, rows, rowStride, channels } = out;
      const data = floatsOf(buffer);
      for (let row = 0; row < rows; row++) {
        for (let i = 0; i < channels; i++) data[offset + row * rowStride + i]! *= factor;
      }
    },
  };
}

const ONE_SENTENCE = /^(CPU|WebGPU), because [^\n]*[^.\n]\.$/;

describe('which backend is chosen', () => {
  test('WebGPU where it is hardware and passes its self-test', async () => {
    const { ops, open, destroyed } = pretendGpu();
    const opened = await openBackend('auto', open);
    expect(opened.ops).toBe(ops);
    expect(opened.facts).toMatchObject({ name: 'webgpu', description: 'Imaginary GPU' });
    expect(opened.facts.reason).toMatch(ONE_SENTENCE);
    expect(destroyed()).toBe(0);
  });

  test('the CPU where the only adapter computes in software', async () => {
    const { open, destroyed } = pretendGpu({ isSoftware: true });
    const { ops, facts } = await openBackend('auto', open);
    expect(ops.backend).toBe('cpu');
    expect(facts.name).toBe('cpu');
    expect(facts.reason).toMatch(ONE_SENTENCE);
    expect(facts.reason).toMatch(/Imaginary GPU, computes in software/);
    expect(destroyed()).toBe(1);
  });

  test('a software adapter that was asked for', async () => {
    const { ops, open } = pretendGpu({ isSoftware: true });
    const opened = await openBackend('webgpu', open);
    expect(opened.ops).toBe(ops);
    expect(opened.facts.reason).toMatch(/asked for/);
  });

  test('the CPU where it was asked for, without looking for a GPU', async () => {
    const open = vi.fn();
    const { ops, facts } = await openBackend('cpu', open);
    expect(ops.backend).toBe('cpu');
    expect(facts.reason).toBe('CPU, because the CPU was asked for.');
    expect(open).not.toHaveBeenCalled();
  });

  test.each(['auto', 'webgpu'] as const)('the CPU where there is no GPU, %s', async (wanted) => {
    const { ops, facts } = await openBackend(wanted, () =>
      Promise.reject(new UserError('This browser has no WebGPU.')),
    );
    expect(ops.backend).toBe('cpu');
    expect(facts.reason).toMatch(ONE_SENTENCE);
    expect(facts.reason).toContain('This browser has no WebGPU.');
  });

  test.each(['auto', 'webgpu'] as const)('the CPU where a product is wrong by 1 %, %s', async (wanted) => {
    const { open, destroyed } = pretendGpu(wrongMatmul(1.01));
    const { ops, facts } = await openBackend(wanted, open);
    expect(ops.backend).toBe('cpu');
    expect(facts.reason).toMatch(ONE_SENTENCE);
    expect(facts.reason).toMatch(/Imaginary GPU failed its self-test: its results differ/);
    expect(destroyed()).toBe(1);
  });

  test('the CPU where the self-test throws', async () => {
    const { open, destroyed } = pretendGpu({
      attention() {
        throw new Error('the device was lost');
      },
    });
    const { ops, facts } = await openBackend('auto', open);
    expect(ops.backend).toBe('cpu');
    expect(facts.reason).toMatch(ONE_SENTENCE);
    expect(facts.reason).toContain('the device was lost');
    expect(destroyed()).toBe(1);
  });
});

describe('the self-test', () => {
  test('passes what is right, and what is off by rounding', async () => {
    expect(await selfTest(createCpuOps())).toBeNull();
    expect(await selfTest(pretendGpu(wrongMatmul(1 + 1e-6)).ops)).toBeNull();
  });

  test('sees numbers that are none, rotation that is left out, and attention to the future', async () => {
    expect(await selfTest(pretendGpu(wrongMatmul(Number.NaN)).ops)).toMatch(/differ/);
    const right = createCpuOps();
    const still: Partial<Ops> = { rotate: ({ input, out }) => right.copyRows({ input, out }) };
    expect(await selfTest(pretendGpu(still).ops)).toMatch(/differ/);
    const future: Partial<Ops> = {
      attention(request) {
        const { range } = request.visible;
        right.attention({
          ...request,
          visible: { ...request.visible, range: range && { ...range, causal: false } },
        });
      },
    };
    expect(await selfTest(pretendGpu(future).ops)).toMatch(/differ/);
  });

  test('leaves no buffer behind', async () => {
    const ops = createCpuOps();
    await selfTest(ops);
    expect(ops.memory().bytes).toBe(0);
  });
});
