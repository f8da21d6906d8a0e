/** What a person decides on the page: the study and how they look at it. The link carries all of this and nothing else. */
import type { Method } from '../methods/method';
import { type ParameterContext, type Parameters, resolveParameters } from '../methods/parameters';
import type { MapRegion, MethodSpec, SourceSpec, StudySpec } from '../study/types';

export { keyOf } from '../study/key';

export const mapModes = ['full', 'selective', 'both', 'split', 'blink'] as const;
export type MapMode = (typeof mapModes)[number];

export const themes = ['dark', 'light'] as const;
export type Theme = (typeof themes)[number];

/** Whose positions the map's weights are of, where a method has its own for all keys: its own, or the model's. */
export const positionChoices = ['own', 'model'] as const;
export type PositionChoice = (typeof positionChoices)[number];

export interface View {
  readonly layer: number;
  readonly head: number;
  /** Null: the token that the answer's first word follows (chosenQuery), or the last where nothing is asked. */
  readonly query: number | null;
  /** Null: the whole matrix. */
  readonly zoom: MapRegion | null;
  readonly mode: MapMode;
  readonly theme: Theme;
  /** Null: the method's own past the trained length, the model's otherwise. */
  readonly positions: PositionChoice | null;
}

export interface Session extends StudySpec {
  readonly view: View;
}

/** Looks a method up; null for an id that is not there. */
export type FindMethod = (id: string) => Method | null;

export const bundledModel = 'bundled';
export const defaultSource: SourceSpec = {
  kind: 'task',
  task: 'four-needles',
  tokens: 1024,
  depth: 'spread',
  seed: 7,
};
export const defaultMethodId = 'esa';
export const defaultPinnedIds = ['oracle', 'streaming-llm', 'lagkv', 'random'] as const;
/** A head of the bundled model that looks the needles up. */
export const defaultView: View = {
  layer: 7,
  head: 4,
  query: null,
  zoom: null,
  mode: 'both',
  theme: 'dark',
  positions: null,
};

/** Parameters of a method with every default filled in for the given text and model. */
export function defaultParameters(method: Method, context: ParameterContext): Parameters {
  return resolveParameters(method.id, method.parameters, {}, context);
}

/** A method with its defaults. */
export function defaultMethod(method: Method, context: ParameterContext): MethodSpec {
  return { id: method.id, parameters: defaultParameters(method, context) };
}

/** The methods that are pinned until somebody chooses others. */
export function defaultPinned(find: FindMethod, context: ParameterContext): MethodSpec[] {
  return defaultPinnedIds.flatMap((id) => {
    const method = find(id);
    return method ? [defaultMethod(method, context)] : [];
  });
}

/** The default study, as the page opens without a link. */
export function defaultSession(
  find: FindMethod,
  contextOf: (source: SourceSpec) => ParameterContext,
): Session {
  const context = contextOf(defaultSource);
  const method = find(defaultMethodId);
  if (!method) throw new Error(`the method ${defaultMethodId} is missing`);
  return {
    model: bundledModel,
    source: defaultSource,
    method: defaultMethod(method, context),
    pinned: defaultPinned(find, context),
    queriesStart: null,
    startToken: null,
    view: defaultView,
  };
}

/** The part of a session that the engine measures; two sessions with the same key need one run. */
export function studyOf({ model, source, method, pinned, queriesStart, startToken }: Session): StudySpec {
  return { model, source, method, pinned, queriesStart, startToken };
}
