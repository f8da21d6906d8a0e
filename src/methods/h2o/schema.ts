/** H2O's parameters (arXiv 2306.14048; h2o_hf/utils_real_drop/modify_llama.py). */
import { mostTokens, scaledDefault } from '../defaults';
import type { ParameterSchemas } from '../parameters';
import { positions } from '../positions';

export const h2oParameters: ParameterSchemas = {
  heavyTokens: {
    kind: 'count',
    label: 'Heavy hitters',
    symbol: 'hh_size',
    help: 'Tokens that each query head keeps for the attention they have received.',
    unit: 'tokens',
    minimum: 0,
    maximum: mostTokens,
    ...scaledDefault(8, 16, 512),
    paper: 4,
  },
  recentTokens: {
    kind: 'count',
    label: 'Recent tokens',
    symbol: 'recent_size',
    help: 'Last tokens, which stay whatever attention they have received.',
    unit: 'tokens',
    minimum: 0,
    maximum: mostTokens,
    ...scaledDefault(8, 16, 512),
    paper: 512,
  },
  prefillTokens: {
    kind: 'count',
    label: 'First block',
    help: 'Tokens that are read at once, with full attention, before the first are dropped; the others follow one by one.',
    unit: 'tokens',
    minimum: 1,
    maximum: mostTokens,
    ...scaledDefault(4, 32, { times: 1, over: 2 }),
  },
  positions,
};
