/** Full attention: what every method is compared with. */
import { equalBlocks } from './blocks';
import { defaultChunkTokens } from './defaults';
import type { Method, Selection } from './method';

export const full: Method = {
  id: 'full',
  title: 'Full attention',
  summary: 'Every query sees every token up to its own.',
  citation: null,
  parameters: {},
  traits: () => ({
    ...{ decides: 'never', evicts: false, isNested: false, approximates: false },
    ...{ sets: 'layer', cache: 'tokens', positions: 'model', wants: {} },
  }),
  blocks: (_parameters, tokens, _evictAt, context) => equalBlocks(0, tokens, defaultChunkTokens(context)),
  start: () => ({
    select: (input) => keepEverything(input.block.start),
    mark() {},
    rewind() {},
    dispose() {},
  }),
  cost: (_parameters, context, _layer, { position }) => ({
    keptKeys: position + 1,
    selectionOperations: 0,
    readNumbers: 2 * context.keyValueHeads * context.headDimension * (position + 1),
  }),
  memory: () => [],
  withBudget: (parameters, _context, keepFraction) => (keepFraction >= 1 ? { parameters } : { floor: 1 }),
};

/** What a block sees before anything was dropped. */
export function keepEverything(blockStart: number): Selection {
  return {
    list: null,
    rangeStart: 0,
    candidates: { start: 0, end: blockStart },
    score: null,
    tiedAtCut: null,
    decidedBy: 'nothing',
    owned: [],
  };
}
