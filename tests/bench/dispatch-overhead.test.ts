import { expect, it } from 'vitest';
import { measureDispatchOverhead } from '../../bench/dispatch-overhead';
import { recordMoves } from '../../bench/moves-recorded';
import { nodeEnvironment } from '../../src/cli/node-environment';
import { nodeFolder } from '../../src/model/files/folder-node';

/** What the bundled model takes to read 1,024 tokens: more of these is time that a large GPU waits for JavaScript. */
const MOST_DISPATCHES = {
  'prefill, full': 227,
  'prefill, esa': 939,
  'prefill and answer, full': 7652,
  'prefill and answer, esa': 25_985,
};

it('takes no more dispatches to read a text than it did, and makes neither buffers nor pipelines once warm', async () => {
  const dispatches: Record<string, number> = {};
  for await (const { name, calls } of measureDispatchOverhead(2)) {
    dispatches[name] = calls.dispatches;
    expect(calls, name).toMatchObject({ buffers: 0, pipelines: 0 });
  }
  expect(Object.keys(dispatches)).toEqual(Object.keys(MOST_DISPATCHES));
  for (const [name, most] of Object.entries(MOST_DISPATCHES))
    expect(dispatches[name], name).toBeLessThanOrEqual(most);
});

/** What a moved parameter takes until the numbers of all layers stand, for methods that decide for every token of an answer. */
const MOST_DISPATCHES_OF_A_MOVE = {
  'grouped-positions, neighborTokens': 448,
  'sparq, selectedTokens': 201,
  'sparq, rankChannels': 257,
  'tokenselect, selectedTokens': 415,
  'tokenselect, chunkTokens': 668,
};

it('decides for all tokens of an answer in one pass when a parameter moves', async () => {
  const dispatches: Record<string, number> = {};
  const ids = ['grouped-positions', 'sparq', 'tokenselect'];
  const environment = { ...nodeEnvironment(), modelFolder: () => nodeFolder('samples/model') };
  for await (const { method, parameter, calls } of recordMoves(ids, 512, environment))
    dispatches[`${method}, ${parameter}`] = calls.dispatches;
  expect(Object.keys(dispatches)).toEqual(Object.keys(MOST_DISPATCHES_OF_A_MOVE));
  for (const [name, most] of Object.entries(MOST_DISPATCHES_OF_A_MOVE))
    expect(dispatches[name], name).toBeLessThanOrEqual(most);
});
