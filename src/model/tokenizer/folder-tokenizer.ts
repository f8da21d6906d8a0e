import { isUserError } from '../../base/user-error';
import type { ModelConfig } from '../architectures/config';
import { parseJsonFile } from '../files/json-file';
import { loadTokenizer, type Tokenizer } from './tokenizer';

/** The tokenizer of a model folder, or why there is none: the model can then still read token ids. */
export interface FolderTokenizer {
  readonly tokenizer: Tokenizer | null;
  /** One sentence; empty where there is a tokenizer. */
  readonly noTokenizer: string;
}

/** From the bytes of tokenizer.json and tokenizer_config.json, null for a file that is not there. */
export function readFolderTokenizer(
  folder: string,
  tokenizer: Uint8Array | null,
  tokenizerConfig: Uint8Array | null,
  config: ModelConfig,
): FolderTokenizer {
  const read = () =>
    tokenizer && {
      tokenizer: parseJsonFile(tokenizer, 'tokenizer.json'),
      config: tokenizerConfig ? parseJsonFile(tokenizerConfig, 'tokenizer_config.json') : undefined,
    };
  return readTokenizer(
    `${folder} has no tokenizer.json, so it cannot read text; add the file.`,
    read,
    config,
  );
}

/** From what tokenizer.json and tokenizer_config.json hold; `without` says that there is none (null). */
export function readTokenizer(
  without: string,
  read: () => { readonly tokenizer: unknown; readonly config: unknown } | null,
  model: ModelConfig,
): FolderTokenizer {
  try {
    const found = read();
    if (!found) return { tokenizer: null, noTokenizer: without };
    return { tokenizer: loadTokenizer(found.tokenizer, found.config, model), noTokenizer: '' };
  } catch (error) {
    if (!isUserError(error)) throw error;
    return { tokenizer: null, noTokenizer: error.message };
  }
}
