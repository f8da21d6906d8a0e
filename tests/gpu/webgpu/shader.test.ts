import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { createIdleDevice } from '../../../bench/idle-device';
import { CommandEncoder } from '../../../gpu/webgpu/command-encoder';
import { openDevice } from '../../../gpu/webgpu/device';
import fillShader from '../../../gpu/webgpu/fill.wgsl';
import { defineKernel } from '../../../gpu/webgpu/kernel';
import { compact, DECLARATIONS, declarationsOf, shaderFiles, shaderOf } from '../../../scripts/wgsl.mjs';

const head = (fields: string, storages: readonly string[]): string =>
  [
    `struct Params { ${fields} }`,
    '@group(0) @binding(0) var<uniform> params: Params;',
    ...storages,
    '@compute @workgroup_size(1) fn main() {}',
  ].join('\n');
const INPUT = '@group(0) @binding(1) var<storage, read> input: array<Element>;';
const OUT = '@group(0) @binding(2) var<storage, read_write> out: array<vec4f>;';

describe('a shader', () => {
  it('says which buffers it reads and writes, and which parameters it has, in order', () => {
    const { code, ...found } = shaderOf(head('rows: u32, scale: f32, stride: u32', [INPUT, OUT]));
    expect(found).toEqual({
      bindings: { input: 'read', out: 'write' },
      parameters: { rows: 'u32', scale: 'f32', stride: 'u32' },
    });
    expect(Object.keys(found.parameters)).toEqual(['rows', 'scale', 'stride']);
    expect(code).toContain('fn main()');
  });

  it.each([
    ['a parameter that is no scalar', head('at: vec2u', [INPUT]), 'parameter at is vec2u, not u32 or f32'],
    [
      'a parameter that leaves room before it',
      head('rows: u32, @align(16) scale: f32', [INPUT]),
      'scale does not follow the parameter before it',
    ],
    ['a buffer out of order', head('n: u32', [OUT]), 'out is not the storage buffer at binding 1'],
    [
      'no uniform',
      '@group(0) @binding(0) var<storage, read> input: array<u32>;\nfn main() {}',
      'params must be a struct of at most 256 bytes',
    ],
    [
      'parameters that are too many',
      head(Array.from({ length: 65 }, (_, i) => `p${i}: u32`).join(', '), [INPUT]),
      'params must be a struct of at most 256 bytes',
    ],
  ])('is refused with %s', (_, source, message) => {
    expect(() => shaderOf(source, 'a.wgsl')).toThrow(`a.wgsl: ${message}`);
  });

  it('travels without comments; lines keep their numbers, and marks of loops their place', () => {
    const source = [
      '// What it does.',
      '/* And',
      '   how. */',
      '  let a = b / c; // a quarter',
      '\tfor (var i = 0u; i < N; i++) { // unrolled',
    ].join('\n');
    expect(compact(source)).toBe(
      ['', '', '', 'let a = b / c;', 'for (var i = 0u; i < N; i++) { // unrolled'].join('\n'),
    );
  });

  it('has its names in the compiler’s declarations', () => {
    expect(readFileSync(DECLARATIONS, 'utf8'), 'run `node scripts/wgsl.mjs`').toBe(
      declarationsOf(shaderFiles('.')),
    );
  });

  it('is dispatched under its names only: the compiler refuses others, and so does the command encoder', async () => {
    const encoder = new CommandEncoder(await openDevice({ device: createIdleDevice().device }));
    const kernel = defineKernel('names of a shader', fillShader);
    const shared = { kernel, constants: {}, workgroups: [1, 1, 1], work: { flops: 0, bytes: 0 } } as const;
    const buffers = { out: encoder.unused };
    const parameters = { offset: 0, count: 1, bits: 0 };
    encoder.dispatch({ ...shared, buffers, parameters });
    const wrong = [
      () =>
        encoder.dispatch({
          ...shared,
          // @ts-expect-error
          buffers: { output: encoder.unused },
          parameters,
        }),
      () =>
        encoder.dispatch({
          ...shared,
          buffers,
          // @ts-expect-error
          parameters: { offset: 0, cuont: 1, bits: 0 },
        }),
      () =>
        encoder.dispatch({
          ...shared,
          buffers,
          // @ts-expect-error
          parameters: [{ offset: 0, cuont: 1 }, { bits: 0 }],
        }),
    ];
    const messages = ['buffer out is missing', 'parameter count is missing', 'parameter count is missing'];
    for (const [at, dispatch] of wrong.entries()) expect(dispatch).toThrow(messages[at]);
    encoder.destroy();
  });
});
