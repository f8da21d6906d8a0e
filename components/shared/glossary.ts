/** The page's terms, in a sentence or two each: the text of the tooltips. */
export const glossary = {
  kept: 'Keys that the method lets the query see, the query’s own block included.',
  keptShare:
    'Keys that a query sees as a share of those that full attention sees, mean over the queries, then over layers. Sweeps, tables and this panel all mean this.',
  missed:
    'A dropped key with at least 1 % of the weight that the query gives to keys other than tokens 0 to 3, unless those get less than 1 % of the whole. Tokens 0 to 3 themselves count from 1 % of the whole.',
  massRecall:
    'Share of full attention’s probability that falls on the kept keys, with the model’s own positions. Mean over queries and heads.',
  spectra:
    'How strongly the maps that make keys and values (W_K, W_V) stretch each of their directions, largest first, as shares of the largest. The method keeps those before the cut.',
  ownMassRecall:
    'The same share with every key at the position that the method gives it, kept and dropped ones alike. Null with positions in the cache: dropped keys have none there.',
  topkRecall:
    'Among the keys the scores decided on, k of which were kept: the share of the k largest weights that were. By chance: what k keys drawn at random would reach, kept ÷ decided on.',
  outputError:
    'Relative distance of the attention output from full attention’s, before the output projection.',
  outputErrorProjected:
    'The same distance after the layer’s output projection W_O, over all heads together: what the layer passes on.',
  asked:
    'The fraction asked of the budget; what is actually kept is measured, and curves are compared at that.',
  tied: 'Keys whose scores, the second included, equal those of the last key kept. The lower token goes first, so the oldest copy stays.',
  paperOperations:
    'The same step as the method’s own paper counts it: without the causal mask, every score once, comparisons left out (for ESA: arXiv 2502.14477, App. A).',
  density: 'Kept keys as a share of the keys that full attention reads, mean over the queries.',
  operations:
    'Multiplications and additions of a query’s attention step by formula, its selection included; not a measurement.',
  onceOperations:
    'What an eviction takes, once for a text, whatever number of queries follows: the scores it goes by. No query is charged for it.',
  measuredTime:
    'Measured on this device while nothing else runs: the attention step of the whole prompt, selection included, all layers, full attention and the method alternating.',
  readBytes:
    'Bytes that one decoded token reads from the key and value caches, by formula, four bytes per number.',
  divergence:
    'Kullback–Leibler divergence of the next-token distributions, full attention to the method, mean over the queries.',
  top1Agreement: 'How often the most likely next token is the same as with full attention.',
  lossDifference:
    'Mean negative log-likelihood of the text’s own tokens with the method minus that with full attention.',
  freeRun: 'The model reads the text with the method in every layer, so errors add up, and then answers.',
  probeRun: 'The model runs with full attention and each layer’s method sees true queries, keys and values.',
  queries: 'The tokens whose attention is measured; every method and every number uses the same ones.',
  evictAfter:
    'Methods that evict once drop keys after the context, before the question is read (kvpress), or after the question, which they can then go by (SnapKV’s code, kvpress’s FINCH). All numbers are of the queries that come after: question and answer, or the answer’s value.',
  beginAfter:
    'This method does not evict once, so only the measured queries move: question and answer, or the answer’s value. Pinned methods that evict once do so there.',
  sink: 'The first tokens: many heads give them weight whatever they say, so methods keep them.',
  local: 'The last tokens before the query’s block, always kept.',
  mixed:
    'Not in the cache as itself: its key and value are part of rows that are mixtures of several tokens.',
  ownBlock: 'Queries that are read together and share one selection; each sees the ones before it.',
  selected: 'Kept because of its score.',
  undecided:
    'Nothing was decided here: the method has not reached it yet, has room for all, or never drops any.',
  since:
    'Read since the eviction, and kept until a method evicts again; or since the context whose keys were clustered, and always kept.',
  dropped:
    'Not kept: its score was below the cut (or as high, and another decided), or the method leaves such keys out.',
  needle:
    'A planted sentence with a fact; outlined where the question asks for it. The count is of the digits of its value that were seen by the queries that wrote them, in this layer and head of the free run; where none were counted, of its tokens that the chosen query sees.',
  trainedLength:
    'The model has never seen texts longer than this: full attention goes wrong there, so recall against it means little.',
  sweep:
    'Mass recall of the same text at several kept fractions; a probe run without the compounding of errors.',
  sweepAnswer:
    'Whether the model, with the method in every layer at that budget, answered this text’s question right: a free run for each point.',
  floor: 'The method keeps some keys whatever the budget; it cannot go below this fraction.',
  recorded:
    'These numbers were recorded earlier with the same program; live ones replace them as they arrive.',
  live: 'Measured just now, in this browser.',
  pinned: 'A method that stays in the chart for comparison, with the parameters it was pinned with.',
} as const;

export type GlossaryTerm = keyof typeof glossary;
