/** React's way to the page. */
import { createContext, useContext, useMemo } from 'react';
import { useStore } from 'zustand';
import { useShallow } from 'zustand/react/shallow';
import type { QueryRow } from '../measure/results';
import type { Method } from '../methods/method';
import { evictsAtQueries, methodKey } from '../methods/method-spec';
import { idleBy, type ParameterContext, type Parameters, type ParameterValue } from '../methods/parameters';
import { hasValues, type Preset, presetsOf } from '../methods/presets';
import type { Measurements } from '../study/results';
import { isPresetElsewhere } from './actions';
import type { Session, View } from './choices';
import { followedNames } from './dependent-defaults';
import { type MapPositions, mapPositions } from './map-positions';
import {
  arrivingLayers,
  type Choice,
  isStale,
  type MeasuredBy,
  type MeasuredPart,
  measuredWithLayers,
  presentMeasurements,
  presentOrigin,
  presentRecord,
  rowBy,
  type ShownPart,
  shownPart,
} from './measured';
import { nothingDropped } from './nothing-dropped';
import type { Page } from './page';
import { shownTexts } from './shown-texts';
import { contextOf, type PageState, textLength } from './state';
import { isPastTrained } from './summary';

export const PageContext = createContext<Page | null>(null);

export function usePage(): Page {
  const page = useContext(PageContext);
  if (!page) throw new Error('a component stands outside of PageContext');
  return page;
}

/** A part of the state by its name, or what a function of `state.ts` makes of it: renders again when that changes, and not before. */
export function usePageState<Name extends keyof PageState>(name: Name): PageState[Name];
export function usePageState<Part>(select: (state: PageState) => Part): Part;
export function usePageState(part: keyof PageState | ((state: PageState) => unknown)): unknown {
  return useStore(usePage().store, typeof part === 'function' ? part : (state) => state[part]);
}

/** A part of what the person decides. */
export function useSession<Name extends keyof Session>(name: Name): Session[Name] {
  return useStore(usePage().store, (state) => state.session[name]);
}

/** A part of how the person looks at it. */
export function useView<Name extends keyof View>(name: Name): View[Name] {
  return useStore(usePage().store, (state) => state.session.view[name]);
}

/** Whether the text is longer than what the model was trained on. */
export function useIsPast(): boolean {
  return useStore(usePage().store, ({ text, model }) => isPastTrained(text, model));
}

/** Texts of tokens as they are shown; undefined while there is no text. */
export function useShownTexts(): readonly string[] | undefined {
  const text = usePageState('text');
  return text ? shownTexts(text) : undefined;
}

/** The method of the session. */
export function useMethod(): Method {
  const { findMethod } = usePage();
  const id = useStore(usePage().store, (state) => state.session.method.id);
  const method = findMethod(id);
  if (!method) throw new Error(`the session's method ${id} is missing`);
  return method;
}

/** Whether the session's method evicts once, where the queries begin. */
export function useEvictsAtQueries(): boolean {
  const { findMethod, store } = usePage();
  return useStore(store, ({ session: { method } }) => {
    const found = findMethod(method.id);
    return found !== null && evictsAtQueries(found, method.parameters);
  });
}

/** What the kept shares of the map depend on. */
export function useMethodKey(): string {
  return useStore(usePage().store, (state) => methodKey(state.session.method));
}

/** The value of one of the method's parameters. */
export function useParameter(name: string): ParameterValue | undefined {
  return useStore(usePage().store, (state) => state.session.method.parameters[name]);
}

/** The parameters that one of them follows as they stand. */
export function useFollowedNames(method: Method, name: string, context: ParameterContext): readonly string[] {
  const followed = useMemo(
    () => ofLast((parameters: Parameters) => followedNames(method, name, parameters, context)),
    [method, name, context],
  );
  return useStore(
    usePage().store,
    useShallow((state) => followed(state.session.method.parameters)),
  );
}

/** Why one of the method's parameters changes nothing as the others stand; null: it does (parameters.ts). */
export function useIdleBy({ parameters: schemas }: Method, name: string): string | null {
  return useStore(usePage().store, ({ session }) => idleBy(schemas, name, session.method.parameters));
}

/** What is to be known of the method as its parameters stand, one sentence each. */
export function useMethodNotices(): readonly string[] {
  const method = useMethod();
  const context = useParameterContext();
  const noted = useMemo(
    () => ofLast((parameters: Parameters) => method.notes?.(parameters, context) ?? NOTHING),
    [method, context],
  );
  return useStore(
    usePage().store,
    useShallow(({ records, session, problem }) => {
      if (problem !== null) return NOTHING;
      const assumptions = presentRecord(records, session)?.assumptions ?? NOTHING;
      return [...new Set([...noted(session.method.parameters), ...assumptions])];
    }),
  );
}

/** A preset beside what is chosen. */
interface OfferedPreset {
  readonly preset: Preset;
  /** Whether all that it states is as it is, wherever the method evicts. */
  readonly isChosen: boolean;
  /** Whether the method evicts elsewhere now. */
  readonly isElsewhere: boolean;
}

/** The presets that the method has. */
export function usePresets(): readonly OfferedPreset[] {
  const method = useMethod();
  const context = useParameterContext();
  const presets = useMemo(() => presetsOf(method, context), [method, context]);
  const { store } = usePage();
  const chosen = useStore(
    store,
    useShallow(({ session }) =>
      presets.map((preset) => hasValues(session.method.parameters, preset.parameters)),
    ),
  );
  const elsewhere = useStore(
    store,
    useShallow(({ session }) => presets.map((preset) => isPresetElsewhere(session, preset))),
  );
  return presets.map((preset, at) => ({ preset, isChosen: chosen[at]!, isElsewhere: elsewhere[at]! }));
}

/** Whether the method is pinned as it is. */
export function useIsPinned(): boolean {
  return useStore(usePage().store, ({ session }) =>
    session.pinned.some((known) => methodKey(known) === methodKey(session.method)),
  );
}

const NOTHING: readonly string[] = [];

/** A function that remembers its last result. */
function ofLast<From, To>(make: (from: From) => To): (from: From) => To {
  let last: { readonly from: From; readonly to: To } | null = null;
  return (from) => {
    if (last?.from !== from) last = { from, to: make(from) };
    return last.to;
  };
}

export function useParameterContext(): ParameterContext {
  return useStore(usePage().store, useShallow(contextOf));
}

/** Tokens of the text, for what is said of it and for costs. */
export function useTextLength(): number {
  return useStore(usePage().store, textLength);
}

/** What decides the values: source, queries and method, without the view. */
export function useChoice(): Choice {
  return useStore(
    usePage().store,
    useShallow(({ session: { model, source, queriesStart, startToken, chatTemplate, method } }) => ({
      model,
      source,
      queriesStart,
      startToken,
      chatTemplate,
      method,
    })),
  );
}

/**
 * A part of the measurements with what made it; null while nobody has measured it. Whether another choice made it is asked apart
 * (useIsStale): a choice that has measured nothing yet leaves what is shown as it is.
 */
export function useMeasured<Part extends MeasuredPart>(part: Part): MeasuredValue<Part> | null {
  return useStore(
    usePage().store,
    useShallow(({ records, session }) => {
      const shown = shownPart(records, session, part);
      return shown && { value: shown.value, by: shown.by, queries: shown.queries };
    }),
  );
}

type MeasuredValue<Part extends MeasuredPart> = Omit<ShownPart<Part>, 'isStale'>;

/** The same of one choice alone, for a panel that never shows two. */
export function useMeasuredBy<Part extends MeasuredPart>(
  part: Part,
  by: MeasuredBy | null,
): MeasuredValue<Part>['value'] | null {
  return useStore(usePage().store, ({ records }) => by && (presentMeasurements(records, by)?.[part] ?? null));
}

/** The layers of one choice once all are measured; null until then. */
export function useAllLayers(by: MeasuredBy | null): Measurements['layers'] | null {
  return useStore(usePage().store, ({ records }) => by && (measuredWithLayers(records, by)?.layers ?? null));
}

/** One sentence where the present choice was measured to keep every key, though its method drops some elsewhere; null otherwise. */
export function useNothingDropped(): string | null {
  const method = useMethod();
  const context = useParameterContext();
  const tokens = useTextLength();
  const parameters = useStore(usePage().store, ({ session }) => session.method.parameters);
  const measured = useStore(usePage().store, ({ records, session }) => measuredWithLayers(records, session));
  const answerStart = usePageState(({ text }) => text?.answerStart ?? null);
  return useMemo(() => {
    if (!measured) return null;
    const places = { evictAt: measured.queries.start, answerStart };
    const study = { method, parameters, context: { ...context, tokens }, places };
    return nothingDropped(study, measured.layers);
  }, [method, parameters, context, tokens, measured, answerStart]);
}

/** Whether another choice than the present one made a value. */
export function useIsStale(by: MeasuredBy | null): boolean {
  return useStore(usePage().store, ({ session }) => by !== null && isStale(by, session));
}

/** Layers of the present choice while others are still to come. */
export function useArrivingLayers(): ReturnType<typeof arrivingLayers> {
  return useStore(usePage().store, ({ records, session }) => arrivingLayers(records, session));
}

/** Whether the present choice's numbers are recorded or live; null while they are not all there. */
export function useOrigin(): 'recorded' | 'live' | null {
  return useStore(usePage().store, ({ records, session }) => presentOrigin(records, session));
}

/** What made a row; null without one. */
export function useRowBy(row: QueryRow | null): MeasuredBy | null {
  const { version } = usePage();
  const model = usePageState('model');
  const textOf = usePageState('textOf');
  return useMemo(() => rowBy({ row, model, textOf }, version), [row, model, textOf, version]);
}

/** Whose positions the map is drawn under. */
export function useMapPositions(): MapPositions {
  const { store, findMethod } = usePage();
  return useStore(
    store,
    useShallow((state) => mapPositions(state, findMethod)),
  );
}
