import type { Ops } from '../../gpu/ops';
import { parseConfig } from '../../src/model/architectures/parse-config';
import { readWeights } from '../../src/model/architectures/weights';
import { createDecoder, type Decoder } from '../../src/model/decoder/decoder';
import { fileJson, fixtureTensors } from '../model/files';

/** The smallest real decoder there is: the Llama fixture, 3 layers, 4 query heads over 2 key-value heads. */
export async function tinyDecoder(ops: Ops): Promise<Decoder> {
  const config = await parseConfig(fileJson('tests/fixtures/llama-gqa/config.json'));
  return createDecoder(ops, config, await readWeights(fixtureTensors('llama-gqa/model.safetensors'), config));
}

/** Token ids that repeat nothing regularly. */
export function someIds(count: number): Uint32Array {
  return Uint32Array.from({ length: count }, (_, i) => (i * i * 31 + i * 7 + 3) % 128);
}
