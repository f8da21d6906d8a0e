// Runs the fuzzers of tests/fuzz at full length: npm run fuzz [-- --inputs 100000 --seed N]. Their sum is in the last line.
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { ensureInstalled, root } from './setup.mjs';

ensureInstalled();

const FUZZERS = readdirSync(join(root, 'tests', 'fuzz')).filter((name) => name.endsWith('.test.ts')).length;

const { values } = parseArgs({
  options: {
    inputs: { type: 'string', default: '100000' },
    seed: { type: 'string', default: '20250220' },
  },
});
const each = Math.ceil(Number(values.inputs) / FUZZERS);
if (!(each >= 1) || !Number.isInteger(Number(values.seed))) {
  console.error('Give --inputs a number of inputs and --seed a whole number.');
  process.exit(1);
}

const folder = mkdtempSync(join(tmpdir(), 'keyhole-fuzz-'));
const report = join(folder, 'report');
const { status } = spawnSync(
  join(root, 'node_modules', '.bin', 'vitest'),
  ['run', 'tests/fuzz', '--project', 'unit'],
  {
    cwd: root,
    stdio: 'inherit',
    shell: process.platform === 'win32',
    env: {
      ...process.env,
      KEYHOLE_FUZZ_INPUTS: String(each),
      KEYHOLE_FUZZ_SEED: values.seed,
      KEYHOLE_FUZZ_REPORT: report,
    },
  },
);

/** @type {{ name: string, accepted: number, refused: number, slowest: number }[]} */
let rows = [];
try {
  rows = readFileSync(report, 'utf8')
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line));
} catch {
  // No fuzzer came to its end.
}
rmSync(folder, { recursive: true });
let total = 0;
for (const { name, accepted, refused, slowest } of rows) {
  total += accepted + refused;
  console.log(`${name}: ${accepted} accepted, ${refused} refused in a sentence, slowest ${slowest} ms`);
}
const isWhole = status === 0 && rows.length === FUZZERS;
console.log(
  isWhole
    ? `${total.toLocaleString('en')} inputs of seed ${values.seed}: none failed`
    : `FAILED: ${FUZZERS - rows.length} of ${FUZZERS} fuzzers did not come to their end`,
);
process.exitCode = isWhole ? 0 : 1;
