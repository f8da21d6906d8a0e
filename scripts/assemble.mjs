// Assembles gpu/cpu/simd/kernels.wat into gpu/cpu/simd/kernels.ts, which is committed: building and running need no assembler.
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import wabt from 'wabt';
import { root } from './setup.mjs';

const folder = join(root, 'gpu', 'cpu', 'simd');
const source = readFileSync(join(folder, 'kernels.wat'), 'utf8');
const module = (await wabt()).parseWat('kernels.wat', source, { simd: true });
const base64 = Buffer.from(module.toBinary({}).buffer).toString('base64');
writeFileSync(
  join(folder, 'kernels.ts'),
  `/** kernels.wat, assembled by scripts/assemble.mjs, in base64. */\nexport const KERNELS =\n  '${base64}';\n`,
);
