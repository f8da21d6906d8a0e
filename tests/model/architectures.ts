import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { expect } from 'vitest';
import type { Ops } from '../../gpu/ops';
import { parseConfig } from '../../src/model/architectures/parse-config';
import { readWeights } from '../../src/model/architectures/weights';
import { createDecoder, type Decoder } from '../../src/model/decoder/decoder';
import { forward } from '../../src/model/decoder/forward';
import { readSafetensors, type SafetensorsFile } from '../../src/model/files/safetensors';

const FOLDER = 'tests/fixtures/architectures';

/** The random models of tests/fixtures/architectures.py. */
export const architectureFixtures = readdirSync(FOLDER).sort();

/** A random model, and what transformers computes with it. */
export async function openArchitecture(
  ops: Ops,
  name: string,
): Promise<{ readonly decoder: Decoder; readonly expected: SafetensorsFile }> {
  const read = (file: string): SafetensorsFile => readSafetensors(readFileSync(`${FOLDER}/${name}/${file}`));
  const config = await parseConfig(JSON.parse(readFileSync(`${FOLDER}/${name}/config.json`, 'utf8')));
  const weights = await readWeights(read('model.safetensors'), config);
  expect(weights.notices).toEqual([]);
  return { decoder: await createDecoder(ops, config, weights), expected: read('expected.safetensors') };
}

/** Largest differences from transformers, each as a share of the largest number there. */
export interface ArchitectureAgreement {
  readonly logits: number;
  readonly hidden: number;
}

/** Reads the text of a random model and compares logits and all hidden states, of the short text, too, where there is one. */
export async function compareArchitecture(ops: Ops, name: string): Promise<ArchitectureAgreement> {
  const { decoder, expected } = await openArchitecture(ops, name);
  const ids = Uint32Array.from(expected.int32('input_ids'));
  const result = await forward(decoder, ids);
  let hidden = 0;
  for (const [i, states] of result.hidden.entries())
    hidden = Math.max(hidden, difference(states, expected.float32(`hidden.${i}`)));
  let logits = difference(result.logits, expected.float32('logits'));
  result.reader.release();
  if (expected.has('short.logits')) {
    const wanted = expected.float32('short.logits');
    const short = await forward(decoder, ids.subarray(0, wanted.length / decoder.config.vocabularySize));
    logits = Math.max(logits, difference(short.logits, wanted));
    short.reader.release();
  }
  decoder.release();
  return { logits, hidden };
}

/** With WRITE_AGREEMENT=1 what was found goes into the table of docs/models.md (`node scripts/docs.mjs`); rounded, so that it stays. */
export function recordAgreement(
  backend: Ops['backend'],
  found: Readonly<Record<string, ArchitectureAgreement>>,
): void {
  if (!process.env.WRITE_AGREEMENT) return;
  const path = 'tests/fixtures/agreement-of-models.json';
  const known = existsSync(path) ? JSON.parse(readFileSync(path, 'utf8')) : {};
  const rounded = (value: number): number => Number(value.toExponential(0));
  for (const [name, { logits, hidden }] of Object.entries(found))
    known[name] = { ...known[name], [backend]: { logits: rounded(logits), hidden: rounded(hidden) } };
  const sorted = Object.fromEntries(Object.entries(known).sort(([a], [b]) => (a < b ? -1 : 1)));
  writeFileSync(path, `${JSON.stringify(sorted, null, 2)}\n`);
}

function difference(actual: Float32Array, wanted: Float32Array): number {
  expect(actual.length).toBe(wanted.length);
  const largest = wanted.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
  return wanted.reduce((most, value, i) => Math.max(most, Math.abs(value - actual[i]!)), 0) / largest;
}
