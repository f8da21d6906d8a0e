/** What `tokenizer.ggml.pre` stands for: how a byte-level tokenizer cuts a text into pieces before it merges (llama-vocab.cpp). */

export interface PreTokenizerRule {
  /** In the terms of tokenizer.json. */
  readonly preTokenizer: unknown;
  readonly normalizer?: unknown;
  /** Whether a piece that is a token becomes it whatever the merges say. */
  readonly ignoresMerges?: boolean;
  /** Whether texts begin with the start token where the file does not say. */
  readonly addsStart?: boolean;
}

/** GPT-2's own pattern, and the bytes of what it has cut. */
const gpt2 = { type: 'ByteLevel', add_prefix_space: false, use_regex: true };

/** Cuts at the matches of each pattern in turn, then takes the bytes. */
function cutAt(...patterns: string[]): unknown {
  return {
    type: 'Sequence',
    pretokenizers: [
      ...patterns.map((pattern) => ({
        type: 'Split',
        pattern: { Regex: pattern },
        behavior: 'Isolated',
        invert: false,
      })),
      { type: 'ByteLevel', add_prefix_space: false, use_regex: false },
    ],
  };
}

/** Llama 3's and Qwen's, which differ in how many digits stay together. */
function wordsAndDigits(digits: string): unknown {
  return cutAt(
    `(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|${digits}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+`,
  );
}

const likeGpt2: PreTokenizerRule = { preTokenizer: gpt2 };

const singleDigits: PreTokenizerRule = {
  preTokenizer: { type: 'Sequence', pretokenizers: [{ type: 'Digits', individual_digits: true }, gpt2] },
};

const threeDigits: PreTokenizerRule = { preTokenizer: wordsAndDigits('\\p{N}{1,3}') };

const likeLlama3: PreTokenizerRule = { ...threeDigits, ignoresMerges: true, addsStart: true };

const rules: ReadonlyMap<string, PreTokenizerRule> = new Map<string, PreTokenizerRule>([
  // Of files from before there were names.
  [
    'default',
    {
      preTokenizer: cutAt(
        '[\\p{P}\\$\\+<=>\\^~\\|]+',
        "'s|'t|'re|'ve|'m|'ll|'d| ?\\p{L}+| ?\\p{N}+| ?[^\\s\\p{L}\\p{N}]+|\\s+(?!\\S)",
        '\\p{N}+',
        '[0-9][0-9][0-9]',
      ),
    },
  ],
  ['gpt-2', likeGpt2],
  ['mpt', likeGpt2],
  ['olmo', likeGpt2],
  ['smollm', singleDigits],
  ['refact', singleDigits],
  ['starcoder', singleDigits],
  ['llama-bpe', likeLlama3],
  ['llama3', likeLlama3],
  ['llama-v3', likeLlama3],
  ['dbrx', threeDigits],
  ['smaug-bpe', threeDigits],
  // Its own tokenizer composes characters, llama.cpp does not.
  ['qwen2', { preTokenizer: wordsAndDigits('\\p{N}'), normalizer: { type: 'NFC' } }],
]);

export const preTokenizerNames: string = [...rules.keys()].join(', ');

/** Null for a name that is not known. */
export function preTokenizerRule(name: string): PreTokenizerRule | null {
  return rules.get(name) ?? null;
}
