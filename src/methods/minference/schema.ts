/** MInference's parameters (arXiv 2407.02490; microsoft/MInference, minference_forward.py), and the patterns that they come to. */
import { UserError } from '../../base/user-error';
import { mostTokens, scaledDefault } from '../defaults';
import {
  choiceOf,
  type NumberTable,
  numberIn,
  type ParameterContext,
  type ParameterSchemas,
  type Parameters,
  tableOf,
} from '../parameters';
import { blocksOf, type Looks, mostKeys, type Pattern } from './patterns';

const KINDS = ['a-shape', 'vertical-slash', 'block-sparse'] as const;
/** A number of blocks in a table: −n stands for the n-th part of all blocks. */
const MOST_PARTS = 1000;

/** Where a parameter is of these patterns alone. */
const otherThan = (...patterns: string[]) => ({
  pattern: [...KINDS, 'search'].filter((kind) => !patterns.includes(kind)),
});

export const minferenceParameters: ParameterSchemas = {
  pattern: {
    kind: 'choice',
    label: 'Pattern',
    help: 'How a query head sees less while the prompt is read. The paper fixes one for each head of a model by a search.',
    options: [
      {
        value: 'vertical-slash',
        label: 'vertical-slash',
        help: 'Columns and diagonals; the code’s own for models without a search.',
      },
      { value: 'a-shape', label: 'A-shape', help: 'The first tokens and the last ones, whatever the text.' },
      { value: 'block-sparse', label: 'block-sparse', help: 'Blocks of keys for every block of queries.' },
      {
        value: 'search',
        label: 'by search',
        help: 'For each head the one that keeps most of its attention over this text, all of them with as many keys.',
      },
    ],
    default: () => 'vertical-slash',
    paper: 'search',
  },
  verticalTokens: {
    kind: 'count',
    idleWhere: otherThan('vertical-slash', 'search'),
    label: 'Columns',
    symbol: 'vertical_size',
    help: 'Vertical-slash: keys that every query sees, forced ones among them. By search: with the diagonals, keys of every candidate.',
    unit: 'tokens',
    minimum: 0,
    maximum: mostTokens,
    ...scaledDefault(16, 16, 1000),
    paper: 1000,
  },
  slashDiagonals: {
    kind: 'count',
    idleWhere: otherThan('vertical-slash', 'search'),
    label: 'Diagonals',
    symbol: 'slash_size',
    help: 'Vertical-slash: distances at which every query sees a key, forced ones among them.',
    unit: 'diagonals',
    minimum: 1,
    maximum: (context) => Math.max(mostTokens(context), 6096),
    ...scaledDefault(8, 32, 6096),
    paper: 6096,
  },
  lastQueries: {
    kind: 'count',
    idleWhere: otherThan('vertical-slash', 'search'),
    label: 'Queries that look',
    symbol: 'last_q',
    help: 'Vertical-slash: last queries of the prompt, by whose attention columns and diagonals are chosen.',
    unit: 'queries',
    minimum: 1,
    maximum: mostTokens,
    ...scaledDefault(16, 8, 64),
    paper: 64,
  },
  forcedColumns: {
    kind: 'count',
    idleWhere: otherThan('vertical-slash', 'search'),
    label: 'Forced columns',
    help: 'Vertical-slash: first tokens that are columns in any case.',
    unit: 'tokens',
    minimum: 0,
    maximum: mostTokens,
    ...scaledDefault(128, 4, 30),
    paper: 30,
  },
  forcedDiagonals: {
    kind: 'count',
    idleWhere: otherThan('vertical-slash', 'search'),
    label: 'Forced diagonals',
    help: 'Vertical-slash: nearest distances that are diagonals in any case, a query’s own key among them.',
    unit: 'diagonals',
    minimum: 1,
    maximum: mostTokens,
    ...scaledDefault(32, 8, 100),
    paper: 100,
  },
  initTokens: {
    kind: 'count',
    idleWhere: otherThan('a-shape'),
    label: 'Initial tokens',
    help: 'A-shape: first tokens of the text, which every query sees.',
    unit: 'tokens',
    minimum: 0,
    maximum: mostTokens,
    ...scaledDefault(64, 4, 1024),
    paper: 1024,
  },
  localTokens: {
    kind: 'count',
    idleWhere: otherThan('a-shape'),
    label: 'Local tokens',
    help: 'A-shape: last tokens that a query sees, its own among them.',
    unit: 'tokens',
    minimum: 1,
    maximum: mostTokens,
    ...scaledDefault(6, 32, 4096),
    paper: 4096,
  },
  blockTokens: {
    kind: 'count',
    idleWhere: otherThan('block-sparse', 'search'),
    label: 'Block',
    help: 'Block-sparse: tokens of a block of queries, and of one of keys.',
    unit: 'tokens',
    minimum: 1,
    maximum: mostTokens,
    ...scaledDefault(64, 8, 64),
    paper: 64,
  },
  topBlocks: {
    kind: 'count',
    idleWhere: otherThan('block-sparse'),
    label: 'Blocks',
    symbol: 'topk',
    help: 'Block-sparse: blocks of keys that a block of queries sees, its own among them only if it is chosen.',
    unit: 'blocks',
    minimum: 1,
    maximum: mostTokens,
    default: ({ tokens }, { blockTokens }) =>
      Math.min(100, Math.max(1, Math.floor(tokens / (5 * Number([blockTokens].flat()[0]))))),
    defaultRule: 'T/5 tokens, within 1 … 100 blocks',
    paper: 100,
  },
  firstQuery: {
    kind: 'count',
    idleWhere: otherThan('search'),
    label: 'First query of the search',
    help: 'By search: what candidates keep counts from this query on, before which even few keys are most.',
    unit: 'tokens',
    minimum: 0,
    maximum: mostTokens,
    ...scaledDefault(4, 1, 2500),
    paper: 2500,
  },
  candidates: {
    kind: 'table',
    label: 'Candidates',
    help: 'By search: patterns to choose from, as {"pattern", …} with the parameters above, or as rows 0, initTokens, localTokens; 1, verticalTokens, slashDiagonals; 2, blockTokens, topBlocks (−n: the n-th part of all blocks). Without rows: six with as many keys each.',
    unit: 'tokens, diagonals or blocks',
    isWhole: true,
    minimum: -MOST_PARTS,
    maximum: 2 ** 31,
    row: 'candidate',
    column: 'of pattern and its two sizes',
    shape: () => ({ rows: null, columns: 3 }),
    rowsOf: candidateRows,
    default: () => [],
  },
};

/** Candidates as a list of {pattern, sizes}, as rows; null for what is no such list. */
function candidateRows(value: unknown): NumberTable | null {
  if (!Array.isArray(value)) return null;
  const rows = value.map((candidate: unknown): number[] | null => {
    if (typeof candidate !== 'object' || candidate === null || Array.isArray(candidate)) return null;
    const { pattern, ...sizes } = candidate as Record<string, unknown>;
    const kind = KINDS.indexOf(pattern as (typeof KINDS)[number]);
    const names = [
      ['initTokens', 'localTokens'],
      ['verticalTokens', 'slashDiagonals'],
      ['blockTokens', 'topBlocks'],
    ][kind];
    if (!names || Object.keys(sizes).some((name) => !names.includes(name))) return null;
    const numbers = names.map((name) => {
      const part = /^floor\(blocks\/(\d+)\)$/.exec(String(sizes[name]));
      return name === 'topBlocks' && part ? -Number(part[1]) : sizes[name];
    });
    return numbers.every((each) => typeof each === 'number') ? [kind, ...(numbers as number[])] : null;
  });
  return rows.every((row) => row !== null) ? rows : null;
}

/** Whether each head has the pattern that keeps most of its attention. */
export const isSearched = (parameters: Parameters): boolean => choiceOf(parameters, 'pattern') === 'search';

/** The pattern of all heads of a layer, where none is searched for. */
export function patternIn(parameters: Parameters, layer: number): Pattern {
  const of = (name: string): number => numberIn(parameters, name, layer);
  switch (choiceOf(parameters, 'pattern')) {
    case 'a-shape':
      return { kind: 'a-shape', initTokens: of('initTokens'), localTokens: of('localTokens') };
    case 'block-sparse':
      return { kind: 'block-sparse', blockTokens: of('blockTokens'), topBlocks: of('topBlocks') };
    default:
      return {
        ...{ kind: 'vertical-slash', verticalTokens: of('verticalTokens') },
        slashDiagonals: of('slashDiagonals'),
      };
  }
}

/** What a search chooses from in a layer of a prompt of so many tokens. */
export function candidatesIn(parameters: Parameters, layer: number, tokens: number): Pattern[] {
  const rows = tableOf(parameters, 'candidates');
  const of = (name: string): number => numberIn(parameters, name, layer);
  if (!rows) return asManyKeys(of('verticalTokens') + of('slashDiagonals'), of('blockTokens'), tokens);
  return rows.map(([kind, first, second]): Pattern => {
    if (kind === 0) return { kind: 'a-shape', initTokens: first!, localTokens: second! };
    if (kind === 1) return { kind: 'vertical-slash', verticalTokens: first!, slashDiagonals: second! };
    const topBlocks = second! < 0 ? Math.floor(blocksOf(first!, tokens) / -second!) : second!;
    return { kind: 'block-sparse', blockTokens: first!, topBlocks };
  });
}

/** The paper's candidates by their shares of so many keys: an A-shape, four of columns and diagonals, blocks. */
function asManyKeys(keys: number, blockTokens: number, tokens: number): Pattern[] {
  if (keys >= tokens) return [{ kind: 'a-shape', initTokens: 0, localTokens: Math.max(1, tokens) }];
  const initTokens = Math.floor(keys / 9);
  return [
    { kind: 'a-shape', initTokens, localTokens: keys - initTokens },
    ...[1 / 28, 1 / 8, 5 / 12, 35 / 36].map((share): Pattern => {
      const verticalTokens = Math.min(keys - 1, Math.floor(share * keys));
      return { kind: 'vertical-slash', verticalTokens, slashDiagonals: keys - verticalTokens };
    }),
    { kind: 'block-sparse', blockTokens, topBlocks: Math.max(1, Math.floor(keys / blockTokens)) },
  ];
}

export const looksIn = (parameters: Parameters, layer: number): Looks => ({
  lastQueries: numberIn(parameters, 'lastQueries', layer),
  forcedColumns: numberIn(parameters, 'forcedColumns', layer),
  forcedDiagonals: numberIn(parameters, 'forcedDiagonals', layer),
});

/** Throws UserError for candidates that no run can choose from. */
export function checkCandidates(parameters: Parameters, { layers, tokens }: ParameterContext): void {
  for (let layer = 0; layer < layers; layer++) {
    const lengths = new Set<number>();
    for (const [at, row] of (tableOf(parameters, 'candidates') ?? []).entries()) {
      const [kind, first, second] = row;
      if (![0, 1, 2].includes(kind!) || first! < (kind === 2 ? 1 : 0) || (kind !== 2 && second! < 1))
        throw new UserError(`minference: candidate ${at} is no pattern; give 0, 1 or 2 and its two sizes.`);
      if (kind === 2) lengths.add(first!);
    }
    if (lengths.size > 1)
      throw new UserError(
        'minference: candidates of blocks must all have blocks of one length; leave others out.',
      );
    // Reading them is what may fail.
    candidatesIn(parameters, layer, tokens);
  }
}

/** Most keys that the query at `position` sees in a layer. */
export function mostKeysIn(parameters: Parameters, layer: number, tokens: number, position: number): number {
  const patterns = isSearched(parameters)
    ? candidatesIn(parameters, layer, tokens)
    : [patternIn(parameters, layer)];
  return Math.max(...patterns.map((pattern) => mostKeys(pattern, position)));
}

/** Parameters with which no query sees more than `keys`; null: there are none. */
export function withKeys(parameters: Parameters, keys: number, tokens: number): Parameters | null {
  const of = (name: string): number => Math.max(...([parameters[name]].flat() as number[]));
  switch (choiceOf(parameters, 'pattern')) {
    case 'a-shape': {
      const localTokens = keys - of('initTokens');
      return localTokens < 1 ? null : { ...parameters, localTokens };
    }
    case 'block-sparse': {
      const topBlocks =
        keys < tokens ? Math.floor(keys / of('blockTokens')) : blocksOf(of('blockTokens'), tokens);
      return topBlocks < 1 ? null : { ...parameters, topBlocks };
    }
    default: {
      // Columns and diagonals meet: only all diagonals are everything.
      if (keys >= tokens) return { ...parameters, verticalTokens: 0, slashDiagonals: Math.max(1, tokens) };
      const verticalTokens = Math.floor(keys / 4);
      const isBlockTooLong = isSearched(parameters) && keys < of('blockTokens');
      return keys < 1 || isBlockTooLong
        ? null
        : { ...parameters, verticalTokens, slashDiagonals: keys - verticalTokens };
    }
  }
}

/** The fewest keys that a budget can ask for. */
export function fewestKeys(parameters: Parameters): number {
  const of = (name: string): number => Math.max(...([parameters[name]].flat() as number[]));
  switch (choiceOf(parameters, 'pattern')) {
    case 'a-shape':
      return of('initTokens') + 1;
    case 'vertical-slash':
      return 1;
    default:
      return of('blockTokens');
  }
}
