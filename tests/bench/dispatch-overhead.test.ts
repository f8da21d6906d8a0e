import { expect, it } from 'vitest';
import { measureDispatchOverhead } from '../../bench/dispatch-overhead';

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
