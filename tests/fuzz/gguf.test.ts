import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { parseConfig } from '../../src/model/architectures/parse-config';
import { readWeights } from '../../src/model/architectures/weights';
import { bytesInMemory } from '../../src/model/files/file-bytes';
import { openGguf } from '../../src/model/gguf/gguf';
import { loadTokenizer } from '../../src/model/tokenizer/tokenizer';
import { byteChanges, mutateBytes, Outcomes, settings } from './fuzz';

const files = ['llama.gguf', 'phi3.gguf', 'gptneox.gguf', 'vocabulary-gpt2.gguf'].map(
  (name) => new Uint8Array(readFileSync(new URL(`../fixtures/gguf/${name}`, import.meta.url))),
);
/** Behind it are values, of which any are right. */
const HEADER_BYTES = 2500;

test('a changed GGUF file is opened with its tensors in their shapes, or refused in one sentence', async () => {
  const outcomes = new Outcomes('gguf');
  const changed = fc.record({
    file: fc.constantFrom(...files),
    changes: byteChanges,
    cut: fc.oneof({ weight: 9, arbitrary: fc.constant(null) }, { weight: 1, arbitrary: fc.nat(4000) }),
  });
  await fc.assert(
    fc.asyncProperty(changed, async ({ file, changes, cut }) => {
      const header = mutateBytes(file.slice(0, HEADER_BYTES), changes);
      const whole = new Uint8Array([...header, ...file.subarray(HEADER_BYTES)]).subarray(0, cut ?? undefined);
      await outcomes.of(async () => {
        const model = await openGguf([bytesInMemory('m.gguf', new Uint8Array(whole))]);
        const tokenizer = model.tokenizer();
        if (tokenizer) loadTokenizer(tokenizer.tokenizer, tokenizer.config).encodeText('a text');
        const config = await parseConfig(model.config);
        const source = model.weights();
        const weights = await readWeights(source, config);
        await weights.layer(0);
        for (const name of source.names()) {
          const values = await source.float32(name);
          expect(values).toHaveLength(source.shape(name).reduce((product, size) => product * size, 1));
        }
      });
    }),
    settings,
  );
  outcomes.end();
}, 3_600_000);
