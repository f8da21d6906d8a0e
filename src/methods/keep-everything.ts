/** What everything that is kept comes to: a selection, its cost, and the only budget that it meets. */
import type { Method, NothingBecause, Selection } from './method';

/** What a block sees before anything was dropped, and why nothing was where that is not for want of need. */
export function keepEverything(blockStart: number, because?: NothingBecause): Selection {
  return {
    list: null,
    rangeStart: 0,
    candidates: { start: 0, end: blockStart },
    score: null,
    tiedAtCut: null,
    decidedBy: 'nothing',
    ...(because && { because }),
    owned: [],
  };
}

/** A query reads the keys and values of every token up to its own; nothing is chosen. */
export const costOfEverything: Method['cost'] = (
  _parameters,
  { keyValueHeads, headDimension },
  _layer,
  { position },
) => ({
  keptKeys: position + 1,
  selectionOperations: 0,
  readNumbers: 2 * keyValueHeads * headDimension * (position + 1),
});

/** Methods that drop nothing keep all or do not fit. */
export const everythingOnly: Method['withBudget'] = (parameters, _context, keepFraction) =>
  keepFraction >= 1 ? { parameters } : { floor: 1 };
