/**
 * Layers that see a window by themselves (sliding-window attention): methods leave them as they are, so there is nothing to recall.
 */
import type { LayerTrace } from '../trace/trace';
import type { LayerMeasurement } from './results';
import type { TokenRange } from './trace-run';

/** What such a layer does, as a clause whose subject is the layer. */
export function windowClause(window: number): string {
  return `sees ${window.toLocaleString('en')} tokens at a time by itself (sliding-window attention), so the method leaves it as it is and there is nothing to recall`;
}

/** Why a layer has no recall. */
export function windowReason(window: number): string {
  return `This layer ${windowClause(window)}.`;
}

/** The measurement of a layer with a window, which no method changes. */
export function measureWindowLayer(
  { layer, window, query }: LayerTrace & { readonly window: number },
  queries: TokenRange,
  hasProjection: boolean,
): LayerMeasurement {
  let sum = 0;
  for (let position = queries.start; position < queries.end; position++)
    sum += Math.min(window, position + 1);
  const seen = sum / Math.max(1, queries.end - queries.start);
  const nothing = { massRecall: null, ownMassRecall: null, topkRecall: null, topkChance: null };
  return {
    ...{ layer, window, keptKeys: seen, visibleKeys: seen, keptShare: 1 },
    ...{ ...nothing, topkRows: 0, selectorRecall: null, selectorRecallPerQuery: null },
    ...{ outputError: 0, outputErrorAsRun: 0, outputErrorProjected: hasProjection ? 0 : null },
    tiedAtCut: null,
    reason: windowReason(window),
    heads: Array.from({ length: query.heads }, (_, head) => ({
      ...{ head, ...nothing, outputError: 0, outputErrorAsRun: 0 },
    })),
  };
}
