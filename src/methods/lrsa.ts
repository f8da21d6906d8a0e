/**
 * LRSA (arXiv 2506.11498), reconstructed: LagKV's reading in chunks as one mask, under which its authors train a model. Their weights
 * are not public, so what runs here is the rule alone.
 */
import { keepFraction } from './defaults';
import { lagkvOfficial } from './lagkv';
import { checkSpread, lagkvParameters } from './lagkv/schema';
import type { Method } from './method';
import type { ParameterSchema, Parameters } from './parameters';

/** What LagKV calls the same rule. */
const AS_LAGKV = { variant: 'official', prefill: 'chunked' } as const;
const asLagkv = (parameters: Parameters): Parameters => ({ ...parameters, ...AS_LAGKV });

/** LagKV's, without its paper's values: of LRSA's we know none. */
const own = (name: keyof typeof lagkvParameters): ParameterSchema => {
  const { paper: _, ...schema } = lagkvParameters[name]!;
  return schema;
};

export const lrsa: Method = {
  id: 'lrsa',
  title: 'LRSA',
  summary:
    'Keeps the best keys of every chunk, judged by the next; a model was trained under that mask, and its weights are not public.',
  citation: {
    authors: 'Liang, Huang, Liu, Li, Li',
    year: 2025,
    url: 'https://arxiv.org/abs/2506.11498',
  },
  parameters: {
    keepFraction: {
      ...keepFraction,
      symbol: 'r',
      help: 'Keys kept of every lag partition; sinks, the last lag and the remainder stay on top.',
    },
    sinkTokens: { ...own('sinkTokens'), help: 'First tokens of the text, always kept.', defaultRule: '16' },
    lagTokens: own('lagTokens'),
    valueWeight: own('valueWeight'),
    positions: own('positions'),
  },
  notes: () => [
    'Reconstructed from the abstract: the rule is LagKV’s in chunks, untrained; nothing here is the quality of LRSA, whose weights are not public.',
    'Sinks, the last lag and the remainder are kept on top of the fraction.',
  ],
  validate: (_parameters, context) => checkSpread('lrsa', context),
  traits: (parameters) => lagkvOfficial.traits(asLagkv(parameters)),
  blocks: (parameters, ...rest) => lagkvOfficial.blocks(asLagkv(parameters), ...rest),
  start: (context, parameters) => lagkvOfficial.start(context, asLagkv(parameters)),
  cost: (parameters, ...rest) => lagkvOfficial.cost(asLagkv(parameters), ...rest),
  onceOperations: (parameters, ...rest) => lagkvOfficial.onceOperations!(asLagkv(parameters), ...rest),
  memory: (parameters, place) => lagkvOfficial.memory(asLagkv(parameters), place),
  withBudget(parameters, ...rest) {
    const fitted = lagkvOfficial.withBudget(asLagkv(parameters), ...rest);
    if (!('parameters' in fitted)) return fitted;
    return { parameters: { ...parameters, keepFraction: fitted.parameters.keepFraction! } };
  },
};
