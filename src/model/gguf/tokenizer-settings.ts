import { quote } from '../../base/quote';
import { preTokenizerNames, preTokenizerRule } from './pre-tokenizers';
import type { GgufSettings } from './settings';

/** A file's tokenizer in the terms of tokenizer.json and tokenizer_config.json. */
export interface TokenizerSettings {
  readonly tokenizer: Record<string, unknown>;
  readonly config: Record<string, unknown>;
}

/** Kinds of tokens (gguf-py, TokenType). */
const UNKNOWN = 2;
const CONTROL = 3;
const USER_DEFINED = 4;
const BYTE = 6;

/** UserError for a tokenizer of a kind that is not known; null where the file has none. */
export function tokenizerSettings(settings: GgufSettings): TokenizerSettings | null {
  const model = settings.text('tokenizer.ggml.model');
  const given = settings.texts('tokenizer.ggml.tokens');
  if (model === null || given === null) return null;
  const tokens = given.map((token, id) => (token === '' ? `[EMPTY_${id}]` : token));
  const types = settings.numbers('tokenizer.ggml.token_type') ?? [];
  const kind = kinds[model];
  if (!kind || !Object.hasOwn(kinds, model))
    return settings.refuse(
      `has a tokenizer of kind ${quote(model, 40)}, which this program does not know; gpt2 and llama are read`,
    );
  const { addsStart, ...tokenizer } = kind(settings, tokens, types);
  const named = (what: string): string | undefined =>
    tokens[settings.number(`tokenizer.ggml.${what}_token_id`) ?? -1];
  const end = named('eos');
  return {
    tokenizer: {
      ...tokenizer,
      added_tokens: addedTokens(settings, tokens, types),
      post_processor:
        settings.truth('tokenizer.ggml.add_eos_token') && end !== undefined
          ? endAfter(end, tokens.indexOf(end))
          : null,
    },
    config: {
      bos_token: named('bos'),
      eos_token: end,
      unk_token: named('unknown'),
      add_bos_token: settings.truth('tokenizer.ggml.add_bos_token') ?? addsStart,
      chat_template: settings.text('tokenizer.chat_template') ?? undefined,
    },
  };
}

interface Kind {
  readonly model: unknown;
  readonly normalizer: unknown;
  readonly pre_tokenizer: unknown;
  readonly decoder: unknown;
  /** Where the file does not say. */
  readonly addsStart: boolean;
}

const kinds: Readonly<
  Record<string, (settings: GgufSettings, tokens: readonly string[], types: ArrayLike<number>) => Kind>
> = { gpt2: byteLevel, llama: sentencePiece };

function byteLevel(settings: GgufSettings, tokens: readonly string[]): Kind {
  const name = settings.text('tokenizer.ggml.pre') ?? 'default';
  const rule =
    preTokenizerRule(name) ??
    settings.refuse(
      `has a tokenizer with the pre-tokenizer ${quote(name, 40)}, which this program does not know; ${preTokenizerNames} are read`,
    );
  const merges =
    settings.texts('tokenizer.ggml.merges') ??
    settings.refuse('has a tokenizer without merges: it is damaged');
  return {
    model: {
      type: 'BPE',
      vocab: vocabularyOf(tokens),
      merges,
      ignore_merges: rule.ignoresMerges === true,
    },
    normalizer: rule.normalizer ?? null,
    pre_tokenizer: rule.preTokenizer,
    decoder: { type: 'ByteLevel' },
    addsStart: rule.addsStart === true,
  };
}

/** A blank as SentencePiece writes it. */
const MARK = '▁';

/** Merges are in the order of the scores of what they make; what no token spells becomes bytes. */
function sentencePiece(settings: GgufSettings, tokens: readonly string[], types: ArrayLike<number>): Kind {
  const scores =
    settings.numbers('tokenizer.ggml.scores') ??
    settings.refuse('has a tokenizer without scores: it is damaged');
  const addsBlank = settings.truth('tokenizer.ggml.add_space_prefix') ?? true;
  const mark = { type: 'Replace', pattern: { String: ' ' }, content: MARK };
  const blank = { type: 'Replace', pattern: { String: MARK }, content: ' ' };
  return {
    model: {
      type: 'BPE',
      vocab: vocabularyOf(tokens),
      merges: mergesByScore(settings, tokens, types, scores),
      unk_token: tokens[settings.number('tokenizer.ggml.unknown_token_id') ?? 0],
      fuse_unk: true,
      byte_fallback: true,
    },
    normalizer: addsBlank
      ? { type: 'Sequence', normalizers: [{ type: 'Prepend', prepend: MARK }, mark] }
      : mark,
    pre_tokenizer: null,
    decoder: {
      type: 'Sequence',
      decoders: [
        blank,
        { type: 'ByteFallback' },
        { type: 'Fuse' },
        ...(addsBlank ? [{ type: 'Strip', content: ' ', start: 1, stop: 0 }] : []),
      ],
    },
    addsStart: true,
  };
}

/** Squares of the lengths of all tokens, which is what finding pairs takes; vocabularies of 262,144 tokens have 2e7. */
const MOST_PAIRING = 1e9;

/** Every pair of tokens that together are a token, the one with the highest score first. */
function mergesByScore(
  settings: GgufSettings,
  tokens: readonly string[],
  types: ArrayLike<number>,
  scores: ArrayLike<number>,
): [string, string][] {
  if (tokens.reduce((sum, { length }) => sum + length ** 2, 0) > MOST_PAIRING)
    settings.refuse('has a tokenizer with tokens of many thousand characters: it is damaged');
  const scoreOf = new Map<string, number>();
  tokens.forEach((token, id) => {
    const type = types[id];
    if (type !== CONTROL && type !== UNKNOWN && type !== USER_DEFINED && type !== BYTE)
      scoreOf.set(token, scores[id] ?? 0);
  });
  const merges: { pair: [string, string]; score: number }[] = [];
  for (const [token, score] of scoreOf) {
    for (let cut = 1; cut < token.length; cut++) {
      const left = token.slice(0, cut);
      if (!scoreOf.has(left)) continue;
      const right = token.slice(cut);
      if (scoreOf.has(right)) merges.push({ pair: [left, right], score });
    }
  }
  return merges.sort((a, b) => b.score - a.score).map(({ pair }) => pair);
}

function vocabularyOf(tokens: readonly string[]): Record<string, number> {
  // Also right for a token that is called __proto__.
  return Object.fromEntries(tokens.map((token, id) => [token, id]));
}

/** Tokens that are found in the text as it is written. */
function addedTokens(settings: GgufSettings, tokens: readonly string[], types: ArrayLike<number>): unknown[] {
  const takesBlanks = takesBlanksAfter(settings);
  const last = new Map(tokens.map((token, id) => [token, id]));
  return tokens.flatMap((content, id) => {
    const type = types[id];
    const isSpecial = type === CONTROL || type === UNKNOWN;
    if ((!isSpecial && type !== USER_DEFINED) || last.get(content) !== id) return [];
    const rstrip = takesBlanks(content);
    return [
      { id, content, special: isSpecial, normalized: false, lstrip: false, rstrip, single_word: false },
    ];
  });
}

/** The files do not say which tokens take the white space after them; Phi-3's do (llama-vocab.cpp goes by the name as well). */
function takesBlanksAfter(settings: GgufSettings): (token: string) => boolean {
  const isPhi3 = /phi-?3/i.test(settings.text('general.name') ?? '');
  const not = ['<unk>', '<s>', '<|endoftext|>'];
  return (token) => isPhi3 && !not.includes(token);
}

function endAfter(token: string, id: number): unknown {
  return {
    type: 'TemplateProcessing',
    single: [{ Sequence: { id: 'A', type_id: 0 } }, { SpecialToken: { id: token, type_id: 0 } }],
    special_tokens: { [token]: { id: token, ids: [id], tokens: [token] } },
  };
}
