import { usePage, usePageState, useParameterContext } from '../../src/page/hooks';
import type { MeasuredBy } from '../../src/page/measured';
import { textChoice, textKeyOf } from '../../src/page/state';
import type { CommandStudy } from './command';

/**
 * What command lines need of the page, for the choice that made a panel's numbers; null: for the present one. Null while the text of
 * that choice is not there.
 */
export function useCommandStudy(by: MeasuredBy | null): CommandStudy | null {
  const { findMethod } = usePage();
  const present = usePageState((state) => state.session);
  const text = usePageState((state) => state.text);
  const textKey = usePageState((state) => state.textKey);
  const context = useParameterContext();
  const session = by === null ? present : { ...present, ...textChoice(by), method: by.method };
  if (!text || textKey !== textKeyOf(session)) return null;
  const { tokens, answerStart, queries, saved } = text;
  return {
    ...{ session, findMethod, context: { ...context, tokens }, answerStart },
    queriesStart: queries.start,
    saved: saved ?? null,
  };
}
