/** The page's list of methods, and what of it a typed text finds. */
import type { Method } from '../methods/method';
import { methodsNotRun, type NotRun } from '../methods/not-run';
import { type ParameterContext, resolveParameters } from '../methods/parameters';
import { METHOD_GROUPS, whatItDoes } from '../methods/what-methods-do';
import type { SaidOf } from './method-words';

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

/**
 * Those that have every word of `text` in title, id, authors, paper, rule, group or what else is said of them, whatever its case;
 * hyphens are spaces. The best stand first, and so do their groups: named exactly so, their phase among the names, named by words that
 * begin so, said by words that begin so, and last letters inside words and names of parameters.
 */
export function findMethods(
  groups: readonly MethodGroup[],
  text: string,
  saidOf: ReadonlyMap<string, SaidOf>,
): readonly MethodGroup[] {
  // A word with hyphens stays together.
  const words = asListed(text).split(/\s+/).map(plain).filter(Boolean);
  const typed = words.join(' ');
  const rank = ({ id, title, summary, source }: ListedMethod, group: string): number | null => {
    const { phase = null, words: more = '', parameters = '' } = saidOf.get(id) ?? {};
    // Who reads less in that phase alone stands before those who do so in both.
    const names = [title, id, phase ?? ''].map(plain);
    const { authors, year, url } = source ?? {};
    const paper = url?.replace(/^.*arxiv\.org\/abs\//, 'arXiv ');
    const said = plain([...names, summary, authors, year, paper, group, more].join(' '));
    const all = `${said} ${plain(parameters)}`;
    if (!words.every((word) => all.includes(word))) return null;
    if (names.includes(typed)) return 0;
    const begin = (of: string): boolean => words.every((word) => ` ${of}`.includes(` ${word}`));
    return begin(names.join(' ')) ? 1 : begin(said) ? 2 : 3;
  };
  return groups
    .flatMap((group) => {
      const found = group.methods
        .flatMap((method) => {
          const place = rank(method, group.title);
          return place === null ? [] : [{ method, place }];
        })
        .sort((a, b) => a.place - b.place);
      const [best] = found;
      return best ? [{ place: best.place, ...group, methods: found.map(({ method }) => method) }] : [];
    })
    .sort((a, b) => a.place - b.place);
}

/** Addresses of papers and repositories without what stands before their names, citations without "et al." and brackets. */
function asListed(text: string): string {
  return text
    .replace(/(https?:\/\/)?(www\.)?(arxiv\.org\/(abs|pdf|html)|github\.com)\//gi, '')
    .replace(/(\d{4}\.\d{4,5})(v\d+)?(\.pdf)?/gi, '$1')
    .replace(/\bet\s+al\b\.?|[()[\]]/gi, ' ');
}

/** Letter case, and what joins or ends words, make no difference. */
function plain(text: string): string {
  return text
    .toLowerCase()
    .replace(/[-_:;,\s]+/g, ' ')
    .trim();
}

function listed({ id, title, summary, citation }: Method): ListedMethod {
  return { id, title, summary, source: citation, reason: null };
}
