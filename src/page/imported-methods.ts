/** The selections that were brought to this page, as methods. They live as long as the page does and travel in no link. */

import { importedId, importedMethod } from '../methods/imported';
import type { ImportedSelection } from '../methods/imported/selection';
import type { Method } from '../methods/method';
import type { ParameterContext } from '../methods/parameters';

type Heads = Pick<ParameterContext, 'queryHeads' | 'keyValueHeads'>;

export class ImportedMethods {
  readonly #selections = new Map<string, ImportedSelection>();
  /** Made for the model that was open last. */
  readonly #made = new Map<string, { readonly heads: string; readonly method: Method }>();

  /** The id under which it is found. */
  add(selection: ImportedSelection): string {
    const id = importedId(selection);
    this.#selections.set(id, selection);
    this.#made.delete(id);
    return id;
  }

  all(): readonly ImportedSelection[] {
    return [...this.#selections.values()];
  }

  /** The same object for the same model. `headsOf` is asked only where there is such a selection. */
  find(id: string, headsOf: () => Heads): Method | null {
    const selection = this.#selections.get(id);
    if (!selection) return null;
    const { queryHeads, keyValueHeads } = headsOf();
    const heads = `${queryHeads}/${keyValueHeads}`;
    const known = this.#made.get(id);
    if (known?.heads === heads) return known.method;
    const method = importedMethod(selection, { queryHeads, keyValueHeads });
    this.#made.set(id, { heads, method });
    return method;
  }
}
