import { usePage, usePageState, useParameterContext } from '../../src/session/hooks';
import type { CommandStudy } from './command';

/** What command lines need of the page; null while no text is there. */
export function useCommandStudy(): CommandStudy | null {
  const { findMethod } = usePage();
  const session = usePageState((state) => state.session);
  const text = usePageState((state) => state.text);
  const context = useParameterContext();
  if (!text) return null;
  const { tokens, answerStart, queries, saved } = text;
  return {
    ...{ session, findMethod, context: { ...context, tokens }, answerStart },
    queriesStart: queries.start,
    saved: saved ?? null,
  };
}
