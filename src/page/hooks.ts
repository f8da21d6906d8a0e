/** React's way to the page. */
import { createContext, useContext, useMemo } from 'react';
import { useStore } from 'zustand';
import { useShallow } from 'zustand/react/shallow';
import type { QueryRow } from '../measure/results';
import type { Method } from '../methods/method';
import { methodKey } from '../methods/method-spec';
import type { ParameterContext } from '../methods/parameters';
import { type MapPositions, mapPositions } from './map-positions';
import {
  arrivingLayers,
  type Choice,
  type MeasuredBy,
  type MeasuredPart,
  presentOrigin,
  type ShownPart,
  shownPart,
} from './measured';
import type { Page } from './page';
import { contextOf, isTextOf, type PageState } from './state';

export const PageContext = createContext<Page | null>(null);

export function usePage(): Page {
  const page = useContext(PageContext);
  if (!page) throw new Error('a component stands outside of PageContext');
  return page;
}

/** Renders again when the selected part changes. */
export function usePageState<Part>(select: (state: PageState) => Part): Part {
  return useStore(usePage().store, select);
}

/** The method of the session. */
export function useMethod(): Method {
  const { findMethod } = usePage();
  const id = usePageState((state) => state.session.method.id);
  const method = findMethod(id);
  if (!method) throw new Error(`the session's method ${id} is missing`);
  return method;
}

export function useParameterContext(): ParameterContext {
  return useStore(usePage().store, useShallow(contextOf));
}

/** What decides the values: source, queries and method, without the view. */
export function useChoice(): Choice {
  return useStore(
    usePage().store,
    useShallow(({ session: { model, source, queriesStart, startToken, method } }) => ({
      model,
      source,
      queriesStart,
      startToken,
      method,
    })),
  );
}

/** A part of the measurements with what made it; null while nobody has measured it. */
export function useMeasured<Part extends MeasuredPart>(part: Part): ShownPart<Part> | null {
  const records = usePageState((state) => state.records);
  const choice = useChoice();
  return useMemo(() => shownPart(records, choice, part), [records, choice, part]);
}

/** Layers of the present choice while others are still to come. */
export function useArrivingLayers(): ReturnType<typeof arrivingLayers> {
  const records = usePageState((state) => state.records);
  const choice = useChoice();
  return useMemo(() => arrivingLayers(records, choice), [records, choice]);
}

/** Whether the present choice's numbers are recorded or live; null while they are not all there. */
export function useOrigin(): 'recorded' | 'live' | null {
  return usePageState(({ records, session }) => presentOrigin(records, session));
}

/** What made a row: the engine's method of the moment, which after a cancelled run is an earlier one. Null without a row. */
export function useRowProvenance(
  row: QueryRow | null,
): { readonly by: MeasuredBy; readonly isStale: boolean } | null {
  const { version } = usePage();
  const choice = useChoice();
  const modelDigest = usePageState((state) => state.model?.digest ?? null);
  const isOtherText = usePageState((state) => !isTextOf(state));
  const textOf = usePageState((state) => state.textOf);
  return useMemo(
    () =>
      row && {
        // Of the text that is shown, which after a change of source is the one before for a while.
        by: { ...choice, ...textOf, version, modelDigest, method: row.method },
        isStale: isOtherText || methodKey(row.method) !== methodKey(choice.method),
      },
    [row, choice, textOf, version, modelDigest, isOtherText],
  );
}

/** Whose positions the map is drawn under. */
export function useMapPositions(): MapPositions {
  const { store, findMethod } = usePage();
  return useStore(
    store,
    useShallow((state) => mapPositions(state, findMethod)),
  );
}
