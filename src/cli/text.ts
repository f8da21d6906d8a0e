/** The text of a command as tokens: a file's, with what is asked of it, or ids. */
import { UserError } from '../base/user-error';
import type { OpenModel } from '../engine/open-model';
import { buildText } from '../engine/source';
import { openChatTemplate } from '../model/tokenizer/chat-template';
import { checkedIds } from '../model/tokenizer/token-ids';
import type { StartToken } from '../model/tokenizer/tokenizer';
import type { Arguments } from './arguments';
import { elementOf, readJson, readText as readUtf8 } from './files';
import { encodingMilliseconds, withinTime } from './time-limit';

/** Options that make more of a text than its own tokens. */
const PROMPT_OPTIONS = ['chat-template', 'question', 'expect'];

export interface CommandText {
  readonly ids: Uint32Array;
  /** First token of the answer, of --answer or --expect; null: the text has none. */
  readonly answerStart: number | null;
  /** First token of the question, or of the queries of --expect alone; null: neither is given. */
  readonly queriesStart: number | null;
  /** What the head of a file says of it. */
  readonly head: { readonly chatTemplate?: true; readonly question?: string; readonly expected?: string };
}

/** The text of --text or --ids-file, with --question, --expect, --chat-template and --answer. */
export async function readText(args: Arguments, model: OpenModel): Promise<CommandText> {
  const given = PROMPT_OPTIONS.find((name) => args.has(name));
  if (!given) {
    const ids = readIds(args, model);
    return { ids, answerStart: answerOf(args, ids.length), queriesStart: null, head: {} };
  }
  if (args.has('ids-file')) throw new UserError(`--${given} is about a text; with token ids, leave it out.`);
  const isChat = chatOf(args);
  const startToken = startTokenOf(args);
  const [question, expected] = [args.optional('question'), args.optional('expect')];
  if (expected !== undefined && args.has('answer')) {
    throw new UserError(
      '--expect puts an answer behind the text and --answer says where in it one begins; give one of them.',
    );
  }
  const { tokenizer, chatTemplate, config } = model;
  if (!tokenizer) throw new UserError(model.noTokenizer);
  const chat = isChat ? await openChatTemplate(chatTemplate) : null;
  const file = args.text('text');
  const text = readWords(file);
  const source = {
    ...({ kind: 'text', text } as const),
    ...(question !== undefined && { question }),
    ...(expected !== undefined && { expected: [expected] }),
  };
  // It is encoded whole and in parts.
  const { ids, facts } = withinTime(encodingMilliseconds(4 * text.length), `Encoding ${file}`, () =>
    buildText({ source, queriesStart: null, startToken }, tokenizer, config, [], {
      ...{ chat, mostTokens: Number.POSITIVE_INFINITY },
    }),
  );
  return {
    ids,
    answerStart: facts.answerStart ?? answerOf(args, ids.length),
    queriesStart: question === undefined && expected === undefined ? null : facts.queries.start,
    head: {
      ...(isChat && { chatTemplate: true }),
      ...(question !== undefined && { question }),
      ...(expected !== undefined && { expected }),
    },
  };
}

/** Throws UserError for options about a text beside --capture, which has its tokens. */
export function refuseTextOptions(args: Arguments): void {
  const given = PROMPT_OPTIONS.find((name) => args.has(name));
  if (given) throw new UserError(`--${given} is about a text; with a capture, leave it out.`);
}

/** --chat-template, which says itself which tokens a text begins with. */
export function chatOf(args: Arguments): boolean {
  const isChat = args.has('chat-template');
  if (isChat && (args.has('start-token') || args.has('no-start-token'))) {
    throw new UserError(
      'A chat template writes the start token itself where it wants one; leave --start-token and --no-start-token out.',
    );
  }
  return isChat;
}

/** --start-token, --no-start-token; null: neither, what the tokenizer itself does. */
export function startTokenOf(args: Arguments): StartToken {
  const [asked, refused] = [args.has('start-token'), args.has('no-start-token')];
  if (asked && refused)
    throw new UserError('--start-token and --no-start-token contradict each other; give one.');
  if ((asked || refused) && (args.has('ids-file') || args.has('capture')))
    throw new UserError('--start-token is about a text; with token ids or a capture, leave it out.');
  return asked ? true : refused ? false : null;
}

function readWords(file: string): string {
  const text = readUtf8(file);
  if (text === '') throw new UserError(`${file} is empty; give a text with some words.`);
  return text;
}

/** Token ids from --ids-file, or those of --text with what the tokenizer puts around it. */
function readIds(args: Arguments, model: OpenModel): Uint32Array {
  if (args.has('ids-file') === args.has('text')) {
    throw new UserError('Give the text once: either --text FILE or --ids-file IDS.json.');
  }
  const startToken = startTokenOf(args);
  let ids: readonly unknown[];
  let written: ((index: number) => string) | undefined;
  if (args.has('ids-file')) {
    const file = args.text('ids-file');
    const value = readJson(file);
    if (!Array.isArray(value)) throw new UserError(`${file} must hold a JSON array of token ids.`);
    ids = value;
    written = (index) => elementOf(readUtf8(file), index);
  } else {
    const { tokenizer } = model;
    if (!tokenizer)
      throw new UserError(`${model.noTokenizer} Token ids can be read without one (--ids-file).`);
    const file = args.text('text');
    const text = readWords(file);
    ids = withinTime(encodingMilliseconds(text.length), `Encoding ${file}`, () =>
      tokenizer.encodeText(text, startToken),
    );
  }
  if (ids.length === 0) throw new UserError('There is no token in the text; give at least one.');
  return checkedIds(ids, model.config, written);
}

/** --answer: the answer's first token, before which there is a prompt. Null: not given. */
export function answerOf(args: Arguments, tokens: number): number | null {
  if (!args.has('answer')) return null;
  const start = args.count('answer', 1);
  if (start < tokens) return start;
  throw new UserError(
    tokens < 2
      ? 'The text has one token, so no answer can follow a prompt in it; leave --answer out.'
      : `--answer must be a token from 1 to ${tokens - 1}, where the answer begins, not ${start}.`,
  );
}
