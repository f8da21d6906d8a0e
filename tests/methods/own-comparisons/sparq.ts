/** Channels that the last query is compared on, and how much of every query's weight is on the keys that it sees. */
import { Scratch } from '../../../gpu/scratch';
import { methodContext, startTraceRun } from '../../../src/measure/trace-run';
import { keptShare } from '../../../src/methods/sparq/mean-value';
import { channelsIn } from '../../../src/methods/sparq/schema';
import { expected } from '../fixture';
import type { OwnComparison } from '../own-comparison';

export const own: OwnComparison = {
  runs: 'sparq@',
  tensors: ['channels', 'alpha'],
  async compare({ name, ops, text, method, parameters, tolerance, report, fail }) {
    for (const recorded of text.layerTraces) {
      const { layer } = recorded;
      const [heads, queries] = expected.shape(`${name}.alpha.${layer}`);
      const shares = expected.float32(`${name}.alpha.${layer}`);
      const first = text.tokens - queries!;
      const context = methodContext(text, first);
      const started = await startTraceRun(text, method, parameters, first);
      let worst = 0;
      for (const block of started.blocks.filter(({ start }) => start >= first)) {
        const input = started.inputOf(recorded, block);
        const selection = started.run.select(input);
        const scratch = new Scratch(ops);
        const { buffer } = keptShare(context, parameters, input, selection.list!, scratch);
        const share = await ops.readFloats(buffer);
        scratch.release();
        ops.release(...selection.owned);
        share.forEach((value, head) => {
          worst = Math.max(worst, Math.abs(value - shares[head * queries! + block.start - first]!));
        });
        if (share.length !== heads) fail(`has ${share.length} shares, not ${heads}`);
      }
      report('share', worst);
      if (!(worst <= tolerance)) fail(`alpha.${layer} differs by ${worst}`);
      started.dispose();

      const { query } = started.inputOf(recorded, { start: text.tokens - 1, end: text.tokens });
      const count = channelsIn(parameters, layer, query.channels);
      const scratch = new Scratch(ops);
      const out = scratch.rows(query.heads, 1, query.channels, 'queries on their largest channels');
      ops.sparseQueries({ query, groups: text.keyValueHeads, count, out });
      const data = await ops.readFloats(out.buffer);
      scratch.release();
      const wanted = expected.int32(`${name}.channels.${layer}`);
      for (let group = 0; group < text.keyValueHeads; group++) {
        const head = group * (query.heads / text.keyValueHeads);
        const row = data.subarray(head * query.channels, (head + 1) * query.channels);
        const kept = [...row.keys()].filter((channel) => row[channel] !== 0);
        const chosen = [...wanted.subarray(group * count, (group + 1) * count)].sort((a, b) => a - b);
        if (String(kept) !== String(chosen)) fail(`compares on channels ${kept}, not ${chosen}`);
      }
    }
  },
};
