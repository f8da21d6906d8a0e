import { readFileSync } from 'node:fs';
import { sampleTexts } from '../../samples/texts';
import { loadTokenizer } from '../../src/model/tokenizer/tokenizer';
import type { TaskTokenizer } from '../../src/tasks';

/** The texts and the tokenizer that the page makes tasks from. */
export const hay = sampleTexts.map(({ id }) => readFileSync(`samples/texts/${id}.txt`, 'utf8'));

const parsed = (file: string) => JSON.parse(readFileSync(`samples/model/${file}`, 'utf8'));
export const tokenizer = loadTokenizer(parsed('tokenizer.json'), parsed('tokenizer_config.json'));

export const taskTokenizer: TaskTokenizer = { encode: tokenizer.encode, startIds: tokenizer.start() };
