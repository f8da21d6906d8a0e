/** Free runs in which query heads, or single queries, see keys of their own. */
import { expect, it } from 'vitest';
import { createCpuOps } from '../../gpu/cpu';
import { generate } from '../../src/engine/generation';
import { methodById } from '../../src/methods';
import { resolveParameters } from '../../src/methods/parameters';
import { someIds, tinyDecoder } from './tiny-model';

const pages = { denseLayers: 0, pageTokens: 4, budgetTokens: 20 };
const sub = { sinkTokens: 3, cascades: 4, cascadeTokens: 5, chunkTokens: 16 };
const room = { heavyTokens: 8, recentTokens: 8, prefillTokens: 30 };

it.each([
  ['quest', pages, 20],
  ['quest', { ...pages, share: 'group' }, 20],
  ['cascading-kv', sub, 24],
  ['cascading-kv', { ...sub, positions: 'cache', headReduction: 'homogeneous' }, 24],
  ['cascading-kv', { ...sub, score: 'captured', eagerFill: false, beta: 0.7 }, 24],
  ['h2o', room, 17],
  ['h2o', { ...room, positions: 'cache' }, 17],
])('%s %j: an answer’s queries see %i keys, and nothing is held afterwards', async (id, given, seen) => {
  const ops = createCpuOps();
  const decoder = await tinyDecoder(ops);
  const ids = someIds(140);
  const method = methodById(id);
  const before = ops.memory().bytes;
  const { session, selections, generated, queryStates } = await generate({
    ...{ decoder, method, calibration: null, layerTraces: null, ids, answerStart: 120, queriesStart: 100 },
    parameters: resolveParameters(method, given, { ...decoder.config, tokens: ids.length }),
    ...{ keepQueries: false, keepSelections: true },
    isAnswerComplete: (tokens) => tokens.length >= 5,
    signal: new AbortController().signal,
    onProgress: () => {},
  });
  expect(generated).toHaveLength(5);
  expect(queryStates.every(Number.isFinite)).toBe(true);
  // The last ones: the prompt's last token is read as the prompt is.
  for (let query = 121; query < 120 + selections!.queries - 1; query++) {
    for (let head = 0; head < decoder.config.queryHeads; head++) {
      const tokens = Array.from({ length: query + 1 }, (_, token) => token);
      const count = tokens.filter((token) => selections!.sees(query, 0, head, token)).length;
      // A page that is running has fewer tokens.
      expect(count).toBeLessThanOrEqual(seen);
      expect(count).toBeGreaterThan(seen - 4);
    }
  }
  session.release();
  selections!.release();
  expect(ops.memory().bytes).toBe(before);
});
