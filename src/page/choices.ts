/** What a person decides on the page: the study and how they look at it. The link carries all of this and nothing else. */
import type { ParameterContext } from '../methods/parameters';
import { defaultStudy, type FindMethod, openingHead } from '../study/default-study';
import type { SourceSpec, StudySpec } from '../study/spec';
import type { MapRegion } from '../tiles/grid';

export const mapModes = ['full', 'selective', 'both', 'split', 'blink'] as const;
export type MapMode = (typeof mapModes)[number];

export const themes = ['dark', 'light'] as const;
export type Theme = (typeof themes)[number];

/** Whose positions the map's weights are of, where a method has its own for all keys: its own, or the model's. */
export const positionChoices = ['own', 'model'] as const;
export type PositionChoice = (typeof positionChoices)[number];

/** Which weight a pixel of the map shows that covers many cells. */
export const poolings = ['maximum', 'mean'] as const;
export type Pooling = (typeof poolings)[number];

export interface View {
  readonly layer: number;
  readonly head: number;
  /** Null: the token that the answer's first word follows (chosenQuery), or the last where nothing is asked. */
  readonly query: number | null;
  /** Null: the whole matrix. */
  readonly zoom: MapRegion | null;
  readonly mode: MapMode;
  /** Where mode 'split' divides the map, as a part of its width: 0 … 1. */
  readonly split: number;
  readonly pooling: Pooling;
  readonly theme: Theme;
  /** Null: the method's own past the trained length, the model's otherwise. */
  readonly positions: PositionChoice | null;
}

export interface Session extends StudySpec {
  readonly view: View;
}

export const defaultView: View = {
  ...openingHead,
  query: null,
  zoom: null,
  mode: 'both',
  split: 0.5,
  pooling: 'maximum',
  theme: 'dark',
  positions: null,
};

/** The default study, as the page opens without a link. */
export function defaultSession(
  find: FindMethod,
  contextOf: (source: SourceSpec) => ParameterContext,
): Session {
  return { ...defaultStudy(find, contextOf), view: defaultView };
}

/** The part of a session that the engine measures; two sessions with the same key need one run. */
export function studyOf(session: Session): StudySpec {
  const { model, source, method, pinned, queriesStart, startToken, chatTemplate } = session;
  return {
    ...{ model, source, method, pinned, queriesStart, startToken },
    ...(chatTemplate && { chatTemplate }),
  };
}
