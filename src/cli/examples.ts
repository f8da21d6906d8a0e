/** `evaluate --examples`: a file of texts with a question each and the answers that count as right, one JSON object a line. */
import { createHash } from 'node:crypto';
import { basename } from 'node:path';
import { z } from 'zod';
import { quote } from '../base/quote';
import { UserError } from '../base/user-error';
import { readText } from './files';

export interface Example {
  /** As the file names it; its line where it does not. */
  readonly id: string;
  /** From 1. */
  readonly line: number;
  readonly context: string;
  readonly question: string;
  /** Any of them counts as right; the first is read as the true one. */
  readonly answers: readonly string[];
}

export interface ExampleFile {
  /** The file's name without its folder: the task of its cells. */
  readonly name: string;
  readonly examples: readonly Example[];
  /** Of its bytes, 16 hexadecimal digits. */
  readonly digest: string;
}

/** So many lines of a file are named that are none. */
const MOST_NAMED = 5;

const words = z.string().refine((text) => text.trim() !== '');
const lineSchema = z.object({
  id: z.union([z.string(), z.number().transform(String)]).optional(),
  context: words,
  question: words,
  answer: z.union([words.transform((answer) => [answer]), z.array(words).min(1)]),
});
const needed: Readonly<Record<string, string>> = {
  id: '"id" is neither text nor a number',
  context: '"context" is no text',
  question: '"question" is no text',
  answer: '"answer" is neither a text nor a list of texts',
};

/** Reads a file of examples. Throws UserError, which names the lines that are none. */
export function readExamples(path: string): ExampleFile {
  const text = readText(path);
  const bad: string[] = [];
  const examples: Example[] = [];
  const lineOf = new Map<string, number>();
  for (const [i, written] of text.split('\n').entries()) {
    if (written.trim() === '') continue;
    const line = i + 1;
    const read = readLine(written);
    if ('fault' in read) {
      bad.push(`${line} (${read.fault})`);
      continue;
    }
    const id = read.id ?? String(line);
    const before = lineOf.get(id);
    if (before !== undefined) bad.push(`${line} (its id ${quote(id, 40)} is that of line ${before})`);
    lineOf.set(id, line);
    examples.push({ id, line, context: read.context, question: read.question, answers: read.answer });
  }
  if (bad.length > 0) {
    const more = bad.length > MOST_NAMED ? ` and ${bad.length - MOST_NAMED} more` : '';
    throw new UserError(
      `${path} has lines that are no examples: ${bad.slice(0, MOST_NAMED).join(', ')}${more}; each is a JSON object with "context", "question" and "answer".`,
    );
  }
  if (examples.length === 0) throw new UserError(`${path} has no examples; put one on each line.`);
  const name = basename(path).replace(/[\p{C}\p{Zl}\p{Zp}]/gu, '?');
  return { name, examples, digest: createHash('sha256').update(text).digest('hex').slice(0, 16) };
}

function readLine(written: string): z.infer<typeof lineSchema> | { readonly fault: string } {
  let value: unknown;
  try {
    value = JSON.parse(written);
  } catch {
    return { fault: 'no JSON' };
  }
  const read = lineSchema.safeParse(value);
  if (read.success) return read.data;
  const [key] = read.error.issues[0]!.path;
  return { fault: needed[String(key)] ?? 'no object' };
}
