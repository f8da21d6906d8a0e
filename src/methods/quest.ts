/**
 * Quest (arXiv 2406.10774): every query sees the pages of keys whose bounds promise it most. Nothing is evicted (mit-han-lab/Quest,
 * evaluation/quest_attention.py: forward, local_heavy_hitter_mask; pages shared by a group: sparse-frontier, share_pages).
 */
import { headMajorRows, sliceRows, tokenMajorRows } from '../../gpu/rows';
import { uniformOf } from './budgets/uniform';
import { compose, composeBy, type Scorer } from './compose';
import { mostTokens, scaledDefault } from './defaults';
import type { Method } from './method';
import { choiceOf, numberIn, type Parameters } from './parameters';
import { inText } from './positions';
import { inBuffers } from './remember';
import { everyQuery } from './schedules/every-query';
import { denseScores, unitsOf } from './units';

/** Fewest pages that are chosen (local_heavy_hitter_mask). */
const FEWEST_PAGES = 3;

const pageTokensIn = (parameters: Parameters, layer: number): number =>
  numberIn(parameters, 'pageTokens', layer);
const sharesPages = (parameters: Parameters): boolean => choiceOf(parameters, 'share') === 'group';

/** What keys within a page's bounds could score at most, by query head, or summed over the heads of a KV head. */
const pageBounds = (sets: 'queryHead' | 'kvHead'): Scorer => ({
  name: (parameters, layer) => `quest/${sets}/${pageTokensIn(parameters, layer)}`,
  sets,
  score({ ops }, parameters, { layer, query, key }, tokens) {
    const { heads: keyHeads, channels } = key;
    const { rows: queries } = query;
    const pageLength = pageTokensIn(parameters, layer);
    const pages = unitsOf(pageLength, tokens);
    const [minimum, maximum] = (['least', 'greatest'] as const).map((which) => {
      const buffer = ops.scratch('f32', keyHeads * pages * channels, `${which} of pages`);
      return headMajorRows(buffer, keyHeads, pages, channels);
    });
    const bounds = { minimum: minimum!, maximum: maximum! };
    ops.pageBounds({ key: sliceRows(key, 0, tokens), pageLength, ...bounds });
    const buffer = ops.scratch('f32', query.heads * queries * pages, 'scores of pages');
    const score = denseScores(buffer, query.heads * queries, pages);
    // The running page has the keys that are there.
    const byQuery = { key, pageLength, firstTokens: tokens - queries + 1 };
    ops.boundScores({ query, ...bounds, out: score, byQuery });
    ops.release(bounds.minimum.buffer, bounds.maximum.buffer);
    if (sets === 'queryHead') return inBuffers(ops, [buffer], { score });
    const shared = ops.scratch('f32', keyHeads * queries * pages, 'scores of pages by KV head');
    ops.sumHeads({
      input: tokenMajorRows(buffer, query.heads, queries, pages),
      out: tokenMajorRows(shared, keyHeads, queries, pages),
    });
    ops.release(buffer);
    return inBuffers(ops, [shared], { score: denseScores(shared, keyHeads * queries, pages) });
  },
  // A channel's two products, their maximum and its sum; sums over groups; the token's own key brings its page up to date.
  operations(parameters, { queryHeads, keyValueHeads, headDimension }, tokens, layer) {
    const sums = sets === 'kvHead' ? queryHeads - keyValueHeads : 0;
    const pages = unitsOf(pageTokensIn(parameters, layer), tokens);
    return (4 * headDimension * queryHeads + sums) * pages + 2 * headDimension * keyValueHeads;
  },
  reads: (parameters, { keyValueHeads, headDimension }, tokens, layer) =>
    2 * keyValueHeads * headDimension * unitsOf(pageTokensIn(parameters, layer), tokens),
  memory(parameters, { layers, tokens, keyValueHeads, headDimension }) {
    const lengths = Array.from({ length: layers }, (_, layer) => pageTokensIn(parameters, layer));
    const pages = unitsOf(Math.min(...lengths), tokens);
    return [{ label: 'bounds of pages', elements: keyValueHeads * pages * headDimension, count: 2 }];
  },
});

const isDense = (parameters: Parameters, layer: number): boolean =>
  layer < numberIn(parameters, 'denseLayers', layer);

const budget = {
  isDense,
  ...uniformOf(
    (parameters, layer, pages, tokens) => {
      if (isDense(parameters, layer)) return pages;
      const seen = Math.min(tokens, numberIn(parameters, 'budgetTokens', layer));
      return Math.min(pages, Math.max(FEWEST_PAGES, Math.floor(seen / pageTokensIn(parameters, layer))));
    },
    (parameters, context, keepFraction) => {
      const lengths = Array.from({ length: context.layers }, (_, layer) => pageTokensIn(parameters, layer));
      const budgetTokens = Math.floor(keepFraction * context.tokens);
      const fewest = Math.min(context.tokens, FEWEST_PAGES * Math.max(...lengths));
      return budgetTokens < fewest
        ? { floor: fewest / context.tokens }
        : { parameters: { ...parameters, budgetTokens } };
    },
  ),
};

const [byHead, byGroup] = (['queryHead', 'kvHead'] as const).map((sets) =>
  compose({
    ...{
      scorer: pageBounds(sets),
      budget,
      unit: { name: 'page' as const, tokens: pageTokensIn },
      schedule: everyQuery,
    },
    positions: inText,
  }),
);

/** Whether some layer's budget is as large as the text, which has more pages than are chosen in any case. */
function hasRoomButForPages(parameters: Parameters, layers: number, tokens: number): boolean {
  return Array.from({ length: layers }, (_, layer) => layer).some(
    (layer) =>
      !isDense(parameters, layer) &&
      numberIn(parameters, 'budgetTokens', layer) >= tokens &&
      pageTokensIn(parameters, layer) > 1 &&
      tokens > FEWEST_PAGES * pageTokensIn(parameters, layer),
  );
}

export const quest: Method = {
  id: 'quest',
  title: 'Quest',
  summary: 'Every query sees the pages of keys whose channel bounds promise it the largest products.',
  citation: {
    authors: 'Tang, Zhao, Zhu, Xiao, Kasikci, Han',
    year: 2024,
    url: 'https://arxiv.org/abs/2406.10774',
  },
  presets: { paper: { from: 'code' } },
  parameters: {
    pageTokens: {
      kind: 'count',
      label: 'Page',
      help: 'Tokens of a page, which are seen or not seen together; the code calls it chunk_size.',
      unit: 'tokens',
      minimum: 1,
      maximum: mostTokens,
      default: () => 16,
      paper: 16,
    },
    budgetTokens: {
      kind: 'count',
      label: 'Token budget',
      symbol: 'B',
      help: 'Tokens that a query sees, in whole pages, at least three of them; the paper has 256 to 4,096.',
      unit: 'tokens',
      minimum: 1,
      maximum: mostTokens,
      ...scaledDefault(8, 64, 1024),
      paper: 1024,
    },
    share: {
      kind: 'choice',
      label: 'Pages chosen by',
      help: 'Who chooses pages of its own.',
      options: [
        { value: 'head', label: 'query head', help: 'Every query head, as in the paper.' },
        {
          value: 'group',
          label: 'KV head',
          help: 'The query heads of a KV head together, by the sum of their scores.',
        },
      ],
      default: () => 'head',
      paper: 'head',
    },
    denseLayers: {
      kind: 'count',
      label: 'Dense layers',
      help: 'First layers of the model, in which every query sees every key.',
      unit: 'layers',
      minimum: 0,
      maximum: ({ layers }) => layers,
      default: ({ layers }) => Math.min(2, Math.floor(layers / 4)),
      defaultRule: 'a quarter of the layers, at most 2',
      paper: 2,
    },
  },
  notes: (parameters, { tokens, layers }) => [
    ...(hasRoomButForPages(parameters, layers, tokens)
      ? [
          'The token budget covers this text, but is spent in whole pages, rounded down as in the code: a query whose last page is not full leaves one page out.',
        ]
      : []),
    'What stands before the queries is read with full attention; each query then chooses alone, and may leave out its own token, whose page has to be chosen like any other.',
  ],
  ...composeBy((parameters) => (sharesPages(parameters) ? byGroup! : byHead!)),
};
