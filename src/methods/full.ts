/** Full attention: what every method is compared with; past the trained length also at stretched positions. */
import { equalBlocks } from './blocks';
import { defaultChunkTokens } from './defaults';
import { costOfEverything, everythingOnly, keepEverything } from './keep-everything';
import type { Method, MethodRun } from './method';
import { choiceOf, numberIn, type Parameters } from './parameters';
import { rotatedBy, type Stretch, StretchedTables } from './stretched';

/** What methods are measured against: the model's own positions. */
export const FULL_AS_TRAINED: Parameters = { rope: 'model', ropeFactor: 1 };

export const full: Method = {
  id: 'full',
  title: 'Full attention',
  summary: 'Every query sees every token up to its own.',
  citation: null,
  parameters: {
    rope: {
      kind: 'choice',
      label: 'Positions',
      help: 'Rotary positions as trained, or stretched without training for texts beyond the trained length.',
      options: [
        { value: 'model', label: 'as trained', help: 'The model’s own positions.' },
        {
          value: 'linear',
          label: 'linear',
          help: 'Position interpolation: every position divided by the factor.',
        },
        {
          value: 'ntk',
          label: 'NTK',
          help: 'NTK-aware: a larger base, so that short waves stay and long ones stretch.',
        },
        {
          value: 'yarn',
          label: 'YaRN',
          help: 'Long waves divided by the factor, short ones kept, and attention sharpened.',
        },
      ],
      default: () => 'model',
    },
    ropeFactor: {
      kind: 'fraction',
      idleWhere: { rope: ['model'] },
      label: 'Stretched by',
      symbol: 's',
      help: 'How many times the trained length positions are stretched for.',
      minimum: 1,
      maximum: 64,
      unit: '',
      default: ({ tokens, trainedTokens }) =>
        Math.min(64, Math.max(1, Math.ceil(tokens / (trainedTokens ?? tokens)))),
      defaultRule: 'T/N rounded up, 1 … 64',
    },
  },
  traits: (parameters) => ({
    ...{ decides: 'never', evicts: false, isNested: false, approximates: false },
    ...{ sets: 'layer', cache: 'tokens' },
    ...(stretchOf(parameters)
      ? { positions: { own: JSON.stringify(parameters) }, wants: { unrotated: true } }
      : { positions: 'model', wants: {} }),
  }),
  notes: (parameters) =>
    stretchOf(parameters)
      ? ['All keys, untuned: positions are stretched at run time, the model was not trained for them.']
      : [],
  blocks: (_parameters, tokens, _evictAt, context) => equalBlocks(0, tokens, defaultChunkTokens(context)),
  start(context, parameters) {
    const run: MethodRun = {
      select: (input) => keepEverything(input.block.start),
      mark() {},
      rewind() {},
      dispose() {},
    };
    const stretch = stretchOf(parameters);
    if (!stretch) return run;
    const tables = new StretchedTables(context, stretch);
    const factorIn = (layer: number): number => numberIn(parameters, 'ropeFactor', layer);
    const rowsOf: MethodRun['farRows'] = (input) =>
      rotatedBy(context, tables.of(input.layer, factorIn(input.layer), input.block.end), input);
    return {
      ...run,
      attend(input, { rangeStart }, out, logSumExp) {
        const { query, key, owned } = rowsOf(input);
        const range = { start: rangeStart, end: input.block.end, causal: true };
        const { ops, scores } = context;
        ops.attention({ query, key, value: input.value, ...scores, visible: { range }, out, logSumExp });
        ops.release(...owned);
      },
      farEnd: (_layer, block) => block.end,
      farRows: rowsOf,
      attendsBy: (layer) => `${stretch}/${factorIn(layer)}`,
      dispose: () => tables.release(),
    };
  },
  cost: costOfEverything,
  memory: (parameters, { layers, tokens, queryHeads, keyValueHeads, headDimension: d, largestBlock }) =>
    stretchOf(parameters)
      ? [
          { label: 'keys at stretched positions', elements: tokens * keyValueHeads * d, count: 1 },
          { label: 'queries at stretched positions', elements: largestBlock * queryHeads * d, count: 1 },
          {
            label: 'stretched rotation',
            elements: (tokens * d) / 2,
            count: 2 * new Set([parameters.ropeFactor].flat().slice(0, layers)).size,
          },
        ]
      : [],
  withBudget: everythingOnly,
};

/** Null: positions as trained. */
function stretchOf(parameters: Parameters): Stretch | null {
  const rope = choiceOf(parameters, 'rope');
  return rope === 'model' ? null : (rope as Stretch);
}
