import { readFileSync } from 'node:fs';
import { sampleTexts } from '../../samples/texts';
import { loadTokenizer } from '../../src/model/tokenizer';

/** The texts and the tokenizer that the page makes tasks from. */
export const hay = sampleTexts.map(({ id }) => readFileSync(`samples/texts/${id}.txt`, 'utf8'));

export const tokenizer = loadTokenizer(JSON.parse(readFileSync('samples/model/tokenizer.json', 'utf8')), {
  bos_token: '<s>',
  eos_token: '</s>',
});
