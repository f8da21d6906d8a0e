import { isUserError } from '../../base/user-error';
import type { ModelConfig } from '../architectures/config';
import { parseJsonFile } from '../files/json-file';
import { type ChatTemplateFile, readChatTemplate } from './chat-template';
import { loadTokenizer, type Tokenizer } from './tokenizer';

/** The tokenizer of a model folder, or why there is none: the model can then still read token ids. */
export interface FolderTokenizer {
  readonly tokenizer: Tokenizer | null;
  /** One sentence; empty where there is a tokenizer. */
  readonly noTokenizer: string;
  /** Null: its files have none. */
  readonly chatTemplate: ChatTemplateFile | null;
}

/** From the bytes of tokenizer.json, tokenizer_config.json and chat_template.jinja, null for a file that is not there. */
export function readFolderTokenizer(
  folder: string,
  [tokenizer, tokenizerConfig, chatTemplate]: readonly (Uint8Array | null | undefined)[],
  config: ModelConfig,
): FolderTokenizer {
  const read = () =>
    tokenizer
      ? {
          tokenizer: parseJsonFile(tokenizer, 'tokenizer.json'),
          config: tokenizerConfig ? parseJsonFile(tokenizerConfig, 'tokenizer_config.json') : undefined,
          chatTemplate: chatTemplate ? new TextDecoder().decode(chatTemplate) : null,
        }
      : null;
  return readTokenizer(
    `${folder} has no tokenizer.json, so it cannot read text; add the file.`,
    read,
    config,
  );
}

/** From what tokenizer.json, tokenizer_config.json and chat_template.jinja hold; `without` says that there is none (null). */
export function readTokenizer(
  without: string,
  read: () => {
    readonly tokenizer: unknown;
    readonly config: unknown;
    readonly chatTemplate?: string | null;
  } | null,
  model: ModelConfig,
): FolderTokenizer {
  try {
    const found = read();
    if (!found) return { tokenizer: null, noTokenizer: without, chatTemplate: null };
    return {
      tokenizer: loadTokenizer(found.tokenizer, found.config, model),
      noTokenizer: '',
      chatTemplate: readChatTemplate(found.config, found.chatTemplate ?? null),
    };
  } catch (error) {
    if (!isUserError(error)) throw error;
    return { tokenizer: null, noTokenizer: error.message, chatTemplate: null };
  }
}
