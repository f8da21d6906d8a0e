/** Two sentences that follow a method's summary: how it decides, and what that means for a query. By id; fetched by the page when they are asked for. */
export const explanations: Readonly<Record<string, string>> = {
  full: 'Nothing is chosen and nothing is dropped. Every other method is measured against this one, and time and memory grow with all tokens.',
  'grouped-positions':
    'Near keys stand at their true distances, far ones at that of their group, as Self-Extend has it. Nothing is spared; what is gained is that a text longer than the trained length can be read without training.',
  esa: 'Queries and keys are compared in a few channels, and each token takes the best score of its neighbours. First and latest tokens are always there; the middle is chosen anew for every block, so that nothing is lost for good.',
  lagkv:
    'Keys and values of a partition are scaled by the range of the next one, and tokens that spread most over the channels score highest. A partition is cut as soon as the next is complete, so the cache is thinned while the text is read.',
  lrsa: 'The rule is LagKV’s, read in chunks, as one mask. The paper trains a model under that mask; here the rule works on a model that was not trained for it.',
  'streaming-llm':
    'Neither queries nor keys are looked at, only places. The first tokens stay because softmax leaves on them what it has no use for; whatever stood in the middle is gone.',
  tova: 'At the eviction one query, the last, looks at all earlier keys, and all heads of the layer follow the mean of what they see. A key that no head needs at that moment is gone, whatever comes later.',
  snapkv:
    'A window of queries at the end votes for the keys before it, and votes are smoothed along the text, so that neighbours of a key stay with it. What the window does not ask for is gone: it does best when the window holds the question.',
  pyramidkv:
    'The first layers spread their attention and keep most; the last ones gather it and keep least. The mean over layers is the budget that was asked for.',
  adakv:
    'The scores of all heads of a layer are put in one order, so that heads with spread-out attention keep more than heads that look at few keys. A floor keeps every head from losing everything.',
  criticalkv:
    'The first stage keeps the best by score alone. In the second a token counts by its score times the length of its value after the output projection, for a key that is looked at changes nothing if its value is written nowhere.',
  'critical-adakv':
    'AdaKV says how many keys each head gets. Of these a part goes by score alone and the rest by score times the length of the value after the output projection.',
  chunkkv:
    'Scores are averaged over chunks, and the best chunks stay whole, for all heads alike. So a kept word keeps the words around it, at the price of tokens that nobody asked for.',
  'chunkkv-entropy':
    'In a chunk where few tokens hold most of the score only those go in, and the room that this leaves goes to further chunks. Chunks whose score is spread go in whole.',
  finch:
    'The last tokens before the eviction stand for the question, and a key’s score is what they attend to, later queries counting for more. What stays is moved together, so that positions have no holes.',
  simlayerkv:
    'Each layer is judged by one look of its last query: one that looks at both ends only is lazy. Lazy layers keep both ends, the others every key.',
  'duo-attention':
    'Heads are sorted once into two kinds, by scores from training or found on the text. Retrieval heads keep every key, streaming heads both ends, whatever the text says.',
  kvzip:
    'After reading, the model is made to repeat the text, and a key’s score is the most attention that it gets meanwhile. All heads of all layers share one budget, and no question is needed.',
  'observed-attention':
    'While the text is read every key adds up the attention that it gets, divided by how many queries could see it. Late keys have few judges and rank high.',
  'expected-attention':
    'The queries that were read give a mean and a covariance, turned to the positions that come next. A key’s score is what queries of that kind would give it, times the length of its value.',
  capkv:
    'A value’s score is how little of it the other values can replace. Those whose keys point where queries are expected weigh more in that count.',
  compactor:
    'Two scores are brought to one scale and added: how far a key stands out of all others, and how much its chunk looks at it. Both ends of the text stay in any case.',
  leverage:
    'A key’s leverage says how much of its direction is its own alone. It is measured on random directions before rotation, so place and queries count for nothing.',
  noncausal:
    'Within a chunk every query looks at every key, later ones too. A key’s score is what it gets from all, pooled along the text, times the length of its value.',
  cur: 'Squared lengths of key and value are taken as shares of those of a window of neighbours, and multiplied. Long vectors count as important; no query is looked at.',
  knorm:
    'Only the length of a key is looked at, no query and no value. Short keys tend to be those that many queries attend to.',
  keydiff:
    'Each key is compared with the mean direction of all keys before the eviction, and those most unlike it stay. No query is needed, so it can be used before anything is asked.',
  block:
    'The text goes by in blocks, and a cache of fixed size and the next block compete. A key can lose in any round, and is then gone for the rounds that follow.',
  chunk:
    'Each chunk has its own budget, a fraction of its length, and keeps its own best. So every part of the text keeps something, important or not.',
  streaming:
    'Whenever so many tokens have come, the cache is scored and cut to its size, while the text is read and while the answer is written. Memory is bounded, and what was cut is gone.',
  freqkv:
    'When the cache is full, its rows are taken for a signal along the text, and the high frequencies are left out. Fewer rows stay, each a mixture of neighbours; first tokens stay as they are.',
  lorc: 'A singular value decomposition of the maps for keys and values leaves out their smallest parts, more of them in late layers. Every token is still there, so there is no choice among keys to draw.',
  think:
    'The last queries say which channels of the keys matter for products, and the others are set to zero. Every token is still there, so there is no choice among keys to draw.',
  merging:
    'Another method says which tokens stay. The value of each dropped one goes into that of the survivor with the most similar key, weighted, so that something of it is still read.',
  quest:
    'For every page the smallest and largest number in each channel bound what a query’s product with its keys can be. The pages with the highest bounds are read in full, and nothing is evicted.',
  sparq:
    'A query’s largest channels tell approximately which keys have the largest products, and only those are read in full. What is left out comes in as the mean of all values, by its estimated share.',
  loki: 'Keys lie near a few directions, found once, so products on these tell which keys are the best. Those are then read in full, and nothing is evicted.',
  tokenselect:
    'For each block every query head gives the middle tokens its softmax, and votes are added up over heads. The winners, the first and the latest tokens are set side by side, and all others stay for later blocks.',
  infllm:
    'Tokens that leave the local window are put into blocks, and a few of each, the most attended, stand for it. A block of queries takes in the blocks whose representatives fit it best, at one far position.',
  'squeezed-attention':
    'Keys that point alike form a cluster, with their mean for a centroid. A query is compared with centroids alone, and reads the keys of those that pass a threshold which all layers and heads share.',
  minference:
    'The last queries of the prompt show which columns and diagonals a head reads; each head has the pattern that fits it. Only reading the prompt is made cheaper: the answer sees every key.',
  h2o: 'Each query head adds up the attention that every key still in its cache gets. When the cache is full, keys with small sums go, unless they are among the latest.',
  'cascading-kv':
    'The first sub-cache holds the latest tokens; what leaves it moves on to the next, which takes every other, and so on, so that old text is held ever more thinly. Where a token is not taken, it or its neighbour goes, whichever has had less attention; nothing comes back.',
  oracle:
    'It computes full attention first and then keeps the best keys of every block. So it spares nothing, and shows how much attention that many keys can hold at most.',
  random: 'Chance decides once, and no score. What is no better than this has learned nothing from the text.',
  sentences:
    'Each sentence before the eviction is compared with the question, and the best go in until one no longer fits. It stands for prompt compression without a trained encoder, so it is no measure of those systems.',
};
