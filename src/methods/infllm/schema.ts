/** InfLLM's parameters (arXiv 2402.04617; thunlp/InfLLM, config/*-inf-llm.yaml). */
import { UserError } from '../../base/user-error';
import { chunkTokensDefault, mostTokens, scaledDefault } from '../defaults';
import {
  choiceOf,
  numberIn,
  type ParameterContext,
  type ParameterSchemas,
  type Parameters,
} from '../parameters';

export const infLlmParameters: ParameterSchemas = {
  initTokens: {
    kind: 'count',
    label: 'Initial tokens',
    symbol: 'n_init',
    help: 'First tokens of the text, always attended to.',
    unit: 'tokens',
    minimum: 0,
    maximum: mostTokens,
    default: () => 16,
    paper: 128,
  },
  localTokens: {
    kind: 'count',
    label: 'Local tokens',
    symbol: 'n_local',
    help: 'Tokens up to a query, its own among them, that it sees at their distances; all others it sees from this distance.',
    unit: 'tokens',
    minimum: 1,
    maximum: mostTokens,
    ...scaledDefault(8, 64, { times: 3, over: 8 }),
    paper: 4096,
  },
  blockTokens: {
    kind: 'count',
    label: 'Block of memory',
    help: 'Tokens of a block, which are seen or not seen together once they are no longer local.',
    unit: 'tokens',
    minimum: 1,
    maximum: mostTokens,
    ...scaledDefault(64, 8, 128),
    paper: 128,
  },
  selectedBlocks: {
    kind: 'count',
    label: 'Selected blocks',
    symbol: 'k',
    help: 'Blocks that are attended to, chosen anew for every block of queries.',
    unit: 'blocks',
    minimum: 0,
    maximum: mostTokens,
    default: () => 8,
    paper: 16,
  },
  representativeTokens: {
    kind: 'count',
    label: 'Representative tokens',
    symbol: 'r_k',
    help: 'Tokens of a block that stand for it: those that got the most attention from the queries they were local to.',
    unit: 'tokens',
    minimum: 1,
    maximum: mostTokens,
    default: () => 4,
    paper: 4,
  },
  chunkTokens: {
    kind: 'count',
    label: 'Block of queries',
    help: 'Queries that share one selection while the text is read; the code calls it exc_block_size.',
    unit: 'tokens',
    minimum: 1,
    maximum: mostTokens,
    ...chunkTokensDefault,
    paper: 512,
    // All layers read a block together.
    isSameInAllLayers: true,
  },
  duplicates: {
    kind: 'choice',
    label: 'Tokens that are just not local',
    help: 'How a query sees tokens in no block yet that are local to it, but not to the last query of its block.',
    options: [
      { value: 'clean', label: 'once', help: 'As local tokens.' },
      {
        value: 'official',
        label: 'twice',
        help: 'As local tokens and from the far distance too, as in the published code.',
      },
    ],
    default: () => 'clean',
  },
};

/** InfLLM's lengths in one layer. */
export interface InfLlmLengths {
  readonly initTokens: number;
  readonly localTokens: number;
  readonly blockTokens: number;
  readonly selectedBlocks: number;
  readonly representativeTokens: number;
}

export function lengthsIn(parameters: Parameters, layer: number): InfLlmLengths {
  const of = (name: string): number => numberIn(parameters, name, layer);
  const blockTokens = of('blockTokens');
  return {
    blockTokens,
    initTokens: of('initTokens'),
    localTokens: of('localTokens'),
    selectedBlocks: of('selectedBlocks'),
    representativeTokens: Math.min(blockTokens, of('representativeTokens')),
  };
}

export const chunkTokensOf = (parameters: Parameters): number => numberIn(parameters, 'chunkTokens', 0);
export const seesTwice = (parameters: Parameters): boolean =>
  choiceOf(parameters, 'duplicates') === 'official';

/** What was read before `tokens` is initial tokens [0, initEnd), then whole blocks [initEnd, blocksEnd), then the rest. */
export interface Memory {
  readonly initEnd: number;
  readonly blocks: number;
  readonly blocksEnd: number;
}

/** As ContextManager.append_global moves tokens out of the local window: initial ones first, then whole blocks. */
export function memoryOf({ initTokens, localTokens, blockTokens }: InfLlmLengths, tokens: number): Memory {
  const left = Math.max(0, tokens - localTokens);
  const initEnd = Math.min(initTokens, left);
  const blocks = Math.floor((left - initEnd) / blockTokens);
  return { initEnd, blocks, blocksEnd: initEnd + blocks * blockTokens };
}

/** Checks that need several parameters at once. */
export function validateInfLlm(parameters: Parameters, { layers }: ParameterContext): void {
  if (!seesTwice(parameters)) return;
  for (let layer = 0; layer < layers; layer++) {
    const { localTokens } = lengthsIn(parameters, layer);
    if (chunkTokensOf(parameters) <= localTokens) continue;
    throw new UserError(
      `infllm: chunkTokens is ${chunkTokensOf(parameters)}; it must be at most localTokens, ${localTokens}, where tokens are seen twice as in the published code.`,
    );
  }
}
