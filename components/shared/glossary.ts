/** The terms of the page, one sentence or two each: what the tooltips say. */
export const glossary = {
  kept: 'Keys that the method lets the query see, the query’s own block included.',
  keptShare:
    'Keys that a query sees as a share of those that full attention sees, mean over the queries, then over layers. Sweeps, tables and this panel use the same.',
  missed:
    'A dropped key that has at least 1 % of the query’s weight outside tokens 0 to 3, where that is 1 % of the whole or more; those four from 1 % of the whole on.',
  massRecall:
    'Share of full attention’s probability that falls on the kept keys, with the model’s own positions. Mean over queries and heads.',
  ownMassRecall:
    'The same share with every key at the position that the method gives it, kept and dropped ones alike. Null with positions in the cache: dropped keys have none there.',
  topkRecall:
    'Among the keys the scores decided on: how many of the largest weights were kept, for as many as were kept. By chance: what as many keys drawn by lot would reach, kept ÷ decided on.',
  outputError:
    'Relative distance of the attention output from full attention’s, before the output projection.',
  outputErrorProjected:
    'The same distance after the layer’s output projection W_O, over all heads together: what the layer hands on.',
  asked: 'The fraction that a budget was asked for; what it keeps is measured, and curves compare at that.',
  tied: 'Keys with the same scores, the second one included, as the last one kept. The lower token goes first: the oldest copy.',
  paperOperations:
    'The same step as the method’s own paper counts it: without the causal mask, every score once, comparisons left out (for ESA arXiv 2502.14477, App. A).',
  density: 'Kept keys as a share of the keys that full attention reads, mean over the queries.',
  operations:
    'Multiplications and additions of the attention step by formula, selection included; not a measurement.',
  measuredTime:
    'Measured on this device while nothing else runs: the attention step of the whole prompt, selection included, all layers, full attention and the method in turn.',
  readBytes:
    'Bytes that one decoded token reads from the key and value caches, by formula, four bytes a number.',
  divergence:
    'Kullback–Leibler divergence of the next-token distributions, full attention to the method, mean over the queries.',
  top1Agreement: 'How often the most likely next token is the same as with full attention.',
  lossDifference:
    'Mean negative log-likelihood of the text’s own tokens with the method minus that with full attention.',
  freeRun: 'The model reads the text with the method in every layer, so errors add up, and then answers.',
  probeRun: 'The model runs with full attention and each layer’s method sees true queries, keys and values.',
  queries: 'The tokens whose attention is measured; every method and every number uses the same ones.',
  sink: 'The first tokens: many heads give them weight whatever they say, so methods keep them.',
  local: 'The last tokens before the query’s block, always kept.',
  ownBlock: 'Queries that are read together and share one selection; each sees the ones before it.',
  selected: 'Kept because of its score.',
  undecided: 'Nothing was dropped here: the method has not come to it, has room for all, or never drops any.',
  since: 'Read since the eviction: kept, until a method evicts again.',
  dropped:
    'Not kept: its score was below the cut (or as high, and another decided), or the method leaves such keys out.',
  needle:
    'A planted sentence with a fact; outlined where the question asks for it. Counted are the digits of its value that the query writing each one saw in this layer and head, in the free run.',
  trainedLength:
    'The model has never seen texts longer than this: full attention goes wrong there, so recall against it means little.',
  sweep:
    'Mass recall of the same text at several kept fractions; a probe run without the compounding of errors.',
  sweepAnswer:
    'Whether the model, with the method in every layer at that budget, answered this text’s question right: a free run for each point.',
  floor: 'The method keeps some keys whatever the budget; below this fraction it cannot go.',
  recorded:
    'These numbers were recorded earlier with the same program; live ones replace them as they arrive.',
  live: 'Measured just now, in this browser.',
  pinned: 'A method that stays in the chart for comparison, with the parameters it was pinned with.',
} as const;

export type GlossaryTerm = keyof typeof glossary;
