/** The verbs and their options: what a command reads (arguments.ts) and what help says (help.ts) come from this one table. */

export interface OptionEntry {
  readonly name: string;
  /** What stands for the value in help; null: the option takes none. */
  readonly value: string | null;
  readonly text: string;
  readonly isNeeded?: boolean;
  /** Of the program's own processes: read, but in no help and no sentence. */
  readonly isInternal?: boolean;
}

export interface VerbEntry {
  readonly name: string;
  /** What it does, as one line. */
  readonly summary: string;
  /** How its source is given: the usage line begins with it. Its options are among `options`. */
  readonly source: string;
  readonly options: readonly OptionEntry[];
}

const model: OptionEntry = {
  name: 'model',
  value: 'DIR',
  text: "the model's folder, Hugging Face layout, or its GGUF file",
};
const capture: OptionEntry = {
  name: 'capture',
  value: 'FILE',
  text: 'recorded queries, keys and values instead of a model',
};
const text: OptionEntry = { name: 'text', value: 'FILE', text: 'the text that the model reads, UTF-8' };
const ids: OptionEntry = {
  name: 'ids-file',
  value: 'IDS.json',
  text: 'a JSON array of token ids instead of a text; no tokenizer is needed',
};
const startToken: readonly OptionEntry[] = [
  {
    name: 'start-token',
    value: null,
    text: "put the model's start token before the text; by default, what the tokenizer itself does",
  },
  { name: 'no-start-token', value: null, text: 'put none there, even if the tokenizer does' },
];
const prompt: readonly OptionEntry[] = [
  {
    name: 'chat-template',
    value: null,
    text: "make a user's message of the text with the model's chat template; the answer is the assistant's",
  },
  { name: 'question', value: 'Q', text: 'a question behind the text; methods evict before it' },
  { name: 'expect', value: 'A', text: 'the answer that is expected, read behind the question' },
];
const answer: OptionEntry = {
  name: 'answer',
  value: 'A',
  text: "the answer's first token; from there on tokens are read one by one",
};
const kept: OptionEntry = {
  name: 'kept',
  value: 'FILE',
  text: 'a selection that was computed elsewhere, in the place of a method',
};
const layers: OptionEntry = {
  name: 'layers',
  value: '0,1,…',
  text: 'the layers written, and the model is read up to the last of them; all by default',
};
const out = (value: string, what: string): OptionEntry => ({
  ...{ name: 'out', value, isNeeded: true },
  text: `${what}; written whole or not at all, never over an input`,
});

/** Options of every verb. */
export const commonOptions: readonly OptionEntry[] = [
  { name: 'backend', value: 'auto|cpu|webgpu', text: 'what computes; auto by default' },
  { name: 'memory', value: 'MIB', text: "what may be taken of the device's memory" },
];

const FROM_MODEL = '--model DIR (--text FILE | --ids-file IDS.json)';
const fromEither = `(--capture FILE | ${FROM_MODEL})`;

export const verbs: readonly VerbEntry[] = [
  {
    name: 'forward',
    summary: 'logits, hidden states and a capture of one text',
    source: FROM_MODEL,
    options: [
      model,
      text,
      ids,
      ...startToken,
      ...prompt,
      answer,
      { ...layers, text: 'the layers that the capture has; all by default, none with --last' },
      { name: 'last', value: null, text: 'logits of the last token alone, and no hidden states' },
      out('OUT.safetensors', 'the capture, with logits and hidden states'),
    ],
  },
  {
    name: 'select',
    summary: 'the keys that a method keeps',
    source: `${fromEither} (--method ID | --kept FILE)`,
    options: [
      ...[capture, model, text, ids, ...startToken, ...prompt, answer],
      { name: 'method', value: 'ID', text: 'the method' },
      kept,
      { name: 'params', value: 'JSON', text: 'its parameters; those left out have their defaults' },
      layers,
      { name: 'all-blocks', value: null, text: 'also what the last query of each block sees' },
      {
        ...{ name: 'evict-after', value: 'S' },
        text: 'evict after S tokens, and write what stays of them: a file that --kept reads',
      },
      out('OUT.safetensors', 'kept keys and scores'),
    ],
  },
  {
    name: 'sweep',
    summary: 'recall, output error, density and cost against what is kept',
    source: `${fromEither} (--methods ID,ID --keep 0.05,0.1,… [--kept FILE] | --kept FILE [--keep 0.05,0.1,…])`,
    options: [
      ...[capture, model, text, ids, ...startToken, ...prompt, answer],
      { name: 'methods', value: 'ID,ID', text: 'the methods' },
      { name: 'keep', value: '0.05,0.1,…', text: 'the fractions asked for; 1 by default with --kept alone' },
      { ...kept, text: 'a selection that was computed elsewhere, beside the methods or alone' },
      { name: 'params', value: 'JSON', text: 'parameters by method id' },
      {
        name: 'queries',
        value: 'START',
        text: 'first query measured; by default the last eighth of the text, or where --kept evicts',
      },
      { ...layers, text: 'the layers measured; all by default' },
      out('OUT.json', 'a record per method, keep and layer'),
    ],
  },
  {
    name: 'evaluate',
    summary: 'accuracy of free runs with a 95 % Wilson interval; continues an OUT.json that is there',
    source: '--model DIR (--tasks ID,ID --tokens 1024,4096 --seeds N | --examples FILE.jsonl)',
    options: [
      model,
      { name: 'tasks', value: 'ID,ID', text: 'kinds of tasks' },
      { name: 'tokens', value: '1024,4096', text: 'lengths of the texts' },
      {
        ...{ name: 'methods', value: 'JSON', isNeeded: true },
        text: 'an array of ids, or of {"id": …, "parameters": {…}, "label": …, "keep": […]}',
      },
      { name: 'seeds', value: 'N', text: 'texts of each task and length' },
      {
        ...{ name: 'examples', value: 'FILE.jsonl' },
        text: 'texts of your own, on each line {"context": …, "question": …, "answer": …}',
      },
      { ...kept, isInternal: true },
      {
        ...{ name: 'keep', value: '0.05,0.1,…' },
        text: 'each method at these budgets, as in sweep; by default as its parameters say',
      },
      {
        name: 'evict-after',
        value: 'context,question',
        text: 'before the question or after it: where methods that evict once do so',
      },
      { name: 'measure', value: null, text: 'also what is kept and lost, and KL from full attention' },
      ...startToken,
      { ...prompt[0]!, text: "make user's messages of the texts with the model's chat template" },
      { name: 'first-seed', value: 'N', text: 'the first seed; 0 by default' },
      { name: 'processes', value: 'N', text: 'share the texts out among N processes; the file is the same' },
      {
        ...{ name: 'shard', value: 'I/N' },
        text: 'only the I-th of N shares of the texts, for evaluate merge',
      },
      { name: 'part', value: 'I/N', text: '', isInternal: true },
      out('OUT.json', 'a cell per task, length and method'),
    ],
  },
  {
    name: 'record',
    summary: 'the default study, as the page shows it before anything is computed',
    source: '',
    options: [out('OUT.json', 'the recorded study')],
  },
];

/** `evaluate merge`, whose files stand before its options. */
export const mergeEntry: VerbEntry = {
  name: 'evaluate merge',
  summary: 'the whole evaluation from the files of all its shards',
  source: 'FILE FILE …',
  options: [out('OUT.json', 'what evaluate without --shard would have written')],
};

/** The verb of that name, which is one of the table. */
export function verbEntry(name: string): VerbEntry {
  const entry = [...verbs, mergeEntry].find((verb) => verb.name === name);
  if (!entry) throw new Error(`no verb ${name}`);
  return entry;
}

/** The name most like a mistyped one; null where none is like it. */
export function nearestName(typed: string, names: readonly string[]): string | null {
  const ranked = names
    .map((name) => ({ name, distance: editDistance(typed, name) }))
    .sort((a, b) => a.distance - b.distance);
  const [best] = ranked;
  return best && best.distance <= Math.max(1, Math.floor(best.name.length / 3)) ? best.name : null;
}

/** Letters to insert, delete or replace until one word is the other, neighbours exchanged counting once (optimal alignment). */
function editDistance(from: string, to: string): number {
  const rows = Array.from({ length: from.length + 1 }, (_, i) => [
    i,
    ...new Array<number>(to.length).fill(0),
  ]);
  for (let j = 1; j <= to.length; j++) rows[0]![j] = j;
  for (let i = 1; i <= from.length; i++) {
    for (let j = 1; j <= to.length; j++) {
      const differs = from[i - 1] === to[j - 1] ? 0 : 1;
      rows[i]![j] = Math.min(rows[i - 1]![j]! + 1, rows[i]![j - 1]! + 1, rows[i - 1]![j - 1]! + differs);
      if (i > 1 && j > 1 && from[i - 1] === to[j - 2] && from[i - 2] === to[j - 1])
        rows[i]![j] = Math.min(rows[i]![j]!, rows[i - 2]![j - 2]! + 1);
    }
  }
  return rows[from.length]![to.length]!;
}
