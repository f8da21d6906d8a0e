/** A recorded study of synthetic numbers, of the study the page opens with. */
import { methods } from '../../src/methods';
import { defaultSession, studyOf } from '../../src/page/choices';
import type { Snapshot } from '../../src/snapshot/snapshot';
import { parameterContext } from '../../src/study/context';
import {
  synthetic,
  syntheticCost,
  syntheticFreeRun,
  syntheticLayers,
  syntheticModel,
  syntheticRow,
  syntheticSweep,
  syntheticText,
  syntheticThumbnails,
  syntheticTile,
} from '../page/synthetic';

export function recordedFixture(): Snapshot {
  const session = defaultSession(
    (id) => methods.find((method) => method.id === id) ?? null,
    (source) => parameterContext(source, null, null),
  );
  const spec = studyOf(session);
  const text = syntheticText(spec);
  const { tokens } = text;
  const request = {
    rowStart: 0,
    rowEnd: tokens,
    columnStart: 0,
    columnEnd: tokens,
    layer: 0,
    head: 0,
    width: 64,
    height: 64,
  };
  return {
    version: '1.2.3',
    spec,
    model: syntheticModel,
    text,
    measurements: {
      queries: text.queries,
      layers: syntheticLayers(spec, text),
      cost: syntheticCost(spec, text),
      freeRun: syntheticFreeRun(spec, text),
      sweep: syntheticSweep(spec),
    },
    timing: { forward: 800 },
    thumbnails: syntheticThumbnails(spec, text, 16),
    map: syntheticTile(request, synthetic(spec, text)),
    row: syntheticRow(0, 0, text.answerStart!, spec, text),
  };
}
