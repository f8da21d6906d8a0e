import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { readSafetensors, type SafetensorsFile } from '../../src/model/files/safetensors';

const root = resolve(import.meta.dirname, '../..');

/** The model fixtures: small random decoders, one of each architecture. */
export const modelFixtures = ['llama-gqa', 'qwen2-bias', 'qwen3-qknorm', 'gpt2'] as const;

export function fileBytes(path: string): Uint8Array {
  return new Uint8Array(readFileSync(resolve(root, path)));
}

export function fileJson(path: string): Record<string, unknown> {
  return JSON.parse(readFileSync(resolve(root, path), 'utf8'));
}

export function fixtureTensors(path: string): SafetensorsFile {
  return readSafetensors(fileBytes(`tests/fixtures/${path}`));
}
