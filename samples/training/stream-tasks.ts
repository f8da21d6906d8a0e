/**
 * Streams training rows, or tasks to evaluate, to standard output. Run by the recipe, several at a time:
 *
 *     node dist/stream-tasks.js rows  --books DIR --tokenizer FILE --length 1024 --seed 7
 *     node dist/stream-tasks.js tasks --books DIR --tokenizer FILE --tokens 1024 --task stars --first 0 --count 1000
 *
 * rows: without end; each row is length + 1 ids (uint16) and then length + 1 kinds (uint8, see rows.ts), little endian.
 * tasks: one JSON object a line: task, seed, ids, answerStart, answerText.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { generateTask, type TaskId } from '../../src/tasks/index';
import { createRowMaker } from './rows';
import { createWordTokenizer } from './word-tokenizer';

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    books: { type: 'string' },
    tokenizer: { type: 'string' },
    length: { type: 'string', default: '1024' },
    seed: { type: 'string', default: '0' },
    tokens: { type: 'string', default: '1024' },
    task: { type: 'string', default: 'single-needle' },
    first: { type: 'string', default: '0' },
    count: { type: 'string', default: '1' },
  },
});
if (!values.books || !values.tokenizer) throw new Error('Give --books DIR and --tokenizer FILE.');

const tokenizer = createWordTokenizer(JSON.parse(readFileSync(values.tokenizer, 'utf8')));
const hay = readdirSync(values.books)
  .filter((name) => name.endsWith('.txt'))
  .sort()
  .map((name) => readFileSync(join(values.books!, name), 'utf8'));

// The reader takes what it needs and closes the pipe.
process.stdout.on('error', () => process.exit(0));

/** Waits while the reader is behind, so that rows are made at the speed at which they are used. */
async function write(data: Uint8Array | string): Promise<void> {
  if (!process.stdout.write(data)) await new Promise((resolve) => process.stdout.once('drain', resolve));
}

if (positionals[0] === 'rows') {
  const makeRow = createRowMaker(hay, tokenizer, Number(values.length), Number(values.seed));
  for (;;) await write(makeRow());
}

if (positionals[0] === 'tasks') {
  const first = Number(values.first);
  for (let seed = first; seed < first + Number(values.count); seed++) {
    const { task, ids, answerStart, answerText } = generateTask({
      task: values.task as TaskId,
      tokens: Number(values.tokens),
      seed,
      depth: 'spread',
      hay,
      tokenizer,
    });
    await write(`${JSON.stringify({ task, seed, ids, answerStart, answerText })}\n`);
  }
}
