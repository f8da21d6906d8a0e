/** A model's chat template: what its files say, and what it puts around a user's message. */
import * as z from 'zod/mini';
import { UserError } from '../../base/user-error';
import { specialToken } from './special-token';

/** As the files have it; it is read when somebody asks for it. */
export interface ChatTemplateFile {
  readonly template: string;
  /** bos_token, eos_token and the others that tokenizer_config.json names, which templates may write. */
  readonly tokens: Readonly<Record<string, string>>;
}

/** A message as the template writes it, with what stands before it and, up to where the answer begins, behind it. */
interface ChatFrame {
  readonly before: string;
  /** The message, without the white space around it where the template leaves that out. */
  readonly message: string;
  readonly after: string;
}

export interface ChatTemplate {
  /** Throws UserError where the template refuses the message, changes its words, or has no end. */
  frame(message: string): ChatFrame;
}

const TOKENS = [
  'bos_token',
  'eos_token',
  'unk_token',
  'sep_token',
  'pad_token',
  'cls_token',
  'mask_token',
] as const;

const named = z.object({ name: z.string(), template: z.string() });
const schema = z.looseObject({
  chat_template: z.nullish(z.union([z.string(), z.array(named)])),
});

/**
 * The template of tokenizer_config.json, of several the one that is named `default`; `file`, chat_template.jinja beside it, counts
 * for more, as in transformers. Null: there is none, or it is no text.
 */
export function readChatTemplate(tokenizerConfig: unknown, file: string | null): ChatTemplateFile | null {
  const parsed = schema.safeParse(tokenizerConfig ?? {});
  const settings = parsed.success ? parsed.data : {};
  const { chat_template: own } = settings;
  const inSettings = Array.isArray(own) ? own.find(({ name }) => name === 'default')?.template : own;
  const template = file ?? inSettings ?? null;
  if (template === null) return null;
  const tokens = TOKENS.flatMap((name): [string, string][] => {
    const token = specialToken.safeParse((settings as Record<string, unknown>)[name]);
    return token.success && typeof token.data === 'string' ? [[name, token.data]] : [];
  });
  return { template, tokens: Object.fromEntries(tokens) };
}

/** Stands where the message does while it is found out what stands around it. */
const PLACE = 'The user says this 4271.';

/** Throws UserError for a model without one, and for one that cannot be followed. What follows templates is fetched first. */
export async function openChatTemplate(file: ChatTemplateFile | null): Promise<ChatTemplate> {
  if (!file) {
    throw new UserError(
      'This model has no chat template (chat_template in tokenizer_config.json, or chat_template.jinja); read the text without one.',
    );
  }
  const { makeRenderer } = await import('./render-template');
  const render = makeRenderer(file.template, file.tokens);
  const around = render(PLACE);
  const at = around.lastIndexOf(PLACE);
  if (at < 0) throw new UserError(CHANGED);
  const before = around.slice(0, at);
  const after = around.slice(at + PLACE.length);
  return {
    frame(asked) {
      const rendered = render(asked);
      const message = [asked, asked.trim()].find((words) => rendered === before + words + after);
      if (message === undefined) throw new UserError(CHANGED);
      return { before, message, after };
    },
  };
}

const CHANGED =
  'The chat template of this model does not leave the words of a message as they are, so nobody could say where its question begins; read the text without it.';
