/** Which heads stream. */

import { readKept } from '../../../src/measure/selection-reader';
import { startTraceRun } from '../../../src/measure/trace-run';
import { expected } from '../fixture';
import type { OwnComparison } from '../own-comparison';

export const own: OwnComparison = {
  runs: 'duoattention@',
  tensors: ['streaming'],
  async compare({ name, ops, text, method, parameters, fail }) {
    const { tokens } = text;
    const streaming = [...expected.int32(`${name}.streaming`)];
    const started = await startTraceRun(text, method, parameters, tokens);
    const found: number[] = [];
    for (const recorded of text.layerTraces) {
      const selection = started.run.select(started.inputOf(recorded, { start: tokens, end: tokens }));
      const { sets } = await readKept(ops, selection, text.keyValueHeads);
      for (let head = 0; head < text.keyValueHeads; head++)
        found.push((sets[head] ?? sets[0]!).length + tokens - selection.rangeStart < tokens ? 1 : 0);
    }
    if (String(found) !== String(streaming)) fail(`heads ${found} stream, not ${streaming}`);
    started.dispose();
  },
};
