/** Prompts as tokens: what is read, the question, and where the answer begins, in a chat's form or a plain one. */
import { plainAnswer, questionText } from './answer';
import type { Chat, TaskTokenizer } from './task';

export interface PromptRequest {
  readonly tokenizer: TaskTokenizer;
  /** Null: the prompt is read as it is, "Answer:" at its end. */
  readonly chat: Chat | null;
  /** What is read before the question, in pieces whose first tokens are wanted. */
  readonly context: readonly string[];
  /** Null: what is read ends with one of its own, or asks nothing. */
  readonly question: string | null;
  /** Null: none is known. */
  readonly answer: string | null;
}

export interface Prompt {
  /** promptText + answerText. */
  readonly text: string;
  readonly promptText: string;
  /** As it follows the prompt; null: none is known. */
  readonly answerText: string | null;
  /** The start token, then encode(text). */
  readonly ids: number[];
  /** First token of each piece of the context, and of what follows it: the question, or what stands behind the message. */
  readonly starts: readonly number[];
  readonly questionStart: number | null;
  readonly answerStart: number | null;
}

/** Puts a prompt together and finds its places by tokens. Throws UserError where the chat's template refuses it. */
export function makePrompt({ tokenizer, chat, context, question, answer }: PromptRequest): Prompt {
  const asked = question === null ? '' : questionText(question);
  const pieces = chat ? framed(chat, context, asked) : { before: '', context, asked, after: plainEnd(asked) };
  const answerText = answer === null || chat ? answer : plainAnswer(answer);
  const prompt = [pieces.before, ...pieces.context, pieces.asked, pieces.after];
  const promptText = prompt.join('');
  const text = promptText + (answerText ?? '');
  const begin = tokenizer.startIds;
  const encoded = tokenizer.encode(text);
  const starts = tokenStarts(tokenizer, text, encoded, [...prompt, answerText ?? '']).map(
    (start) => start + begin.length,
  );
  return {
    ...{ text, promptText, answerText },
    ids: [...begin, ...encoded],
    starts: starts.slice(1, context.length + 2),
    questionStart: question === null ? null : starts[context.length + 1]!,
    answerStart: answerText === null ? null : starts.at(-1)!,
  };
}

function plainEnd(asked: string): string {
  return asked === '' ? '' : '\nAnswer:';
}

/** Of a message whose white space at both ends may be left out by the template. */
function framed(chat: Chat, context: readonly string[], asked: string) {
  const whole = context.join('') + asked;
  const { before, message, after } = chat.frame(whole);
  if (message === whole) return { before, context, asked, after };
  const [first = '', ...rest] = context;
  const pieces = [first.trimStart(), ...rest];
  if (asked !== '') return { before, context: pieces, asked: asked.trimEnd(), after };
  return { before, context: [...pieces.slice(0, -1), pieces.at(-1)!.trimEnd()], asked, after };
}

/**
 * The token at which each piece of the text begins. Where encoding the pieces one by one gives the ids of the whole
 * (with the bundled tokenizer it does: its words never cross a space), the lengths add up; otherwise the length of the
 * encoded text before each piece says it, which takes one encoding a piece.
 */
function tokenStarts(
  tokenizer: TaskTokenizer,
  text: string,
  encoded: readonly number[],
  pieces: readonly string[],
): number[] {
  const starts: number[] = [];
  let joined = 0;
  let agrees = true;
  for (const piece of pieces) {
    const ids = tokenizer.encode(piece);
    starts.push(joined);
    agrees &&= ids.every((id, i) => id === encoded[joined + i]);
    joined += ids.length;
  }
  if (agrees && joined === encoded.length) return starts;

  let characters = 0;
  return pieces.map((piece) => {
    const start = tokenizer.encode(text.slice(0, characters)).length;
    characters += piece.length;
    return start;
  });
}
