/** Means over layers of what a study measured. */
import type { LayerMeasurement } from '../measure/results';
import { windowClause } from '../measure/window-layers';
import type { ModelFacts, TextFacts } from '../study/facts';

export interface Summary {
  /** Null where `reason` says why. */
  readonly massRecall: number | null;
  readonly ownMassRecall: number | null;
  readonly topkRecall: number | null;
  /** What drawing as many keys would give; null with topkRecall. */
  readonly topkChance: number | null;
  /** Heads of all layers that have a top-k recall: of them it is a mean. */
  readonly topkHeads: number;
  /** All of them. */
  readonly heads: number;
  readonly selectorRecall: number | null;
  readonly outputError: number;
  /** After the output projection; null where it is not known. */
  readonly outputErrorProjected: number | null;
  readonly outputErrorAsRun: number;
  readonly keptKeys: number;
  readonly visibleKeys: number;
  /** Mean over layers of keptShare: the one kept percentage, which sweeps and tables have, too. */
  readonly kept: number;
  /** Why there is no recall; null: there is. */
  readonly reason: string | null;
}

/** Null while no layer has been measured. Layers that see a window by themselves are left out, unless all do. */
export function summarise(measured: readonly LayerMeasurement[] | null): Summary | null {
  if (!measured || measured.length === 0) return null;
  const chosen = measured.filter(({ window }) => window === undefined);
  const layers = chosen.length > 0 ? chosen : measured;
  const mean = (of: (layer: LayerMeasurement) => number): number =>
    layers.reduce((sum, layer) => sum + of(layer), 0) / layers.length;
  /** Layers without the number are left out; null when none has it. */
  const meanOfSome = (of: (layer: LayerMeasurement) => number | null): number | null => {
    const values = layers.map(of).filter((value) => value !== null);
    return values.length === 0 ? null : values.reduce((sum, value) => sum + value, 0) / values.length;
  };
  return {
    massRecall: meanOfSome((layer) => layer.massRecall),
    ownMassRecall: meanOfSome((layer) => layer.ownMassRecall),
    topkRecall: meanOfSome((layer) => layer.topkRecall),
    topkChance: meanOfSome((layer) => layer.topkChance),
    topkHeads: layers.flatMap(({ heads }) => heads).filter(({ topkRecall }) => topkRecall !== null).length,
    heads: layers.reduce((sum, { heads }) => sum + heads.length, 0),
    selectorRecall: meanOfSome((layer) => layer.selectorRecall),
    outputError: mean((layer) => layer.outputError),
    outputErrorProjected: meanOfSome((layer) => layer.outputErrorProjected),
    outputErrorAsRun: mean((layer) => layer.outputErrorAsRun),
    keptKeys: mean((layer) => layer.keptKeys),
    visibleKeys: mean((layer) => layer.visibleKeys),
    kept: mean((layer) => layer.keptShare),
    reason: reasonOf(layers),
  };
}

/** Why there is no recall, as a sentence. */
function reasonOf(layers: readonly LayerMeasurement[]): string | null {
  const found = layers.find(({ reason }) => reason !== undefined);
  if (found?.reason === undefined) return null;
  return found.window === undefined ? found.reason : `Every layer ${windowClause(found.window)}.`;
}

/**
 * Whether right and wrong say something about a method: not where full attention fails at the task itself, except past the
 * trained length, where it is no yardstick and the answer is.
 */
export function isAnswerTelling(fullIsRight: boolean | undefined, isPast: boolean): boolean {
  return isPast || fullIsRight !== false;
}

/** Whether full attention has left what it was trained on, so that recall against it means little. */
export function isPastTrained(text: TextFacts | null, model: ModelFacts | null): boolean {
  return text !== null && model !== null && text.tokens > model.trainedTokens;
}
