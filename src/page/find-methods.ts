/** The page's list of methods, and what of it a typed text finds. */
import type { Method } from '../methods/method';
import { methodsNotRun, type NotRun } from '../methods/not-run';
import { type ParameterContext, resolveParameters } from '../methods/parameters';
import { METHOD_GROUPS, whatItDoes } from '../methods/what-methods-do';

export interface ListedMethod extends Pick<NotRun, 'id' | 'title' | 'summary'> {
  /** First author and year as far as they are known, and where to read; null: nobody's paper. */
  readonly source: {
    readonly authors: string | null;
    readonly year: number | null;
    readonly url: string;
  } | null;
  /** Why it cannot be chosen; null: it can. */
  readonly reason: string | null;
}

export interface MethodGroup {
  readonly title: string;
  readonly methods: readonly ListedMethod[];
}

const IMPORTED = 'Imported';
const NOT_RUN = 'Not run here';

/** All methods in groups, in the list's order; what was imported stands first, those that are not run last. */
export function groupMethods(
  methods: readonly Method[],
  imported: readonly Method[],
  context: ParameterContext,
): readonly MethodGroup[] {
  const grouped = METHOD_GROUPS.map(({ does, title }) => ({
    title,
    methods: methods
      .filter((method) => whatItDoes(method, resolveParameters(method, {}, context)) === does)
      .map(listed),
  }));
  const notRun = methodsNotRun.map((entry) => ({ ...entry, source: entry }));
  const ofFiles = { title: IMPORTED, methods: imported.map(listed) };
  return [ofFiles, ...grouped, { title: NOT_RUN, methods: notRun }].filter(
    (group) => group.methods.length > 0,
  );
}

/** Those that have every word of `text` in title, id, authors, rule, group or what else is said of them, whatever its case. */
export function findMethods(
  groups: readonly MethodGroup[],
  text: string,
  saidOf: ReadonlyMap<string, string>,
): readonly MethodGroup[] {
  const words = text.toLowerCase().split(/\s+/).filter(Boolean);
  return groups.flatMap((group) => {
    const methods = group.methods.filter(({ id, title, summary, source }) => {
      const { authors, year } = source ?? {};
      const said = [id, title, summary, authors, year, group.title, saidOf.get(id)];
      const all = said.join(' ').toLowerCase();
      return words.every((word) => all.includes(word));
    });
    return methods.length > 0 ? [{ ...group, methods }] : [];
  });
}

function listed({ id, title, summary, citation }: Method): ListedMethod {
  return { id, title, summary, source: citation, reason: null };
}
