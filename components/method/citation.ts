import type { ListedMethod } from '../../src/page/find-methods';

/** The first author of three or more stands for all. */
export function shortAuthors(authors: string): string {
  const names = authors.split(', ');
  return names.length > 2 ? `${names[0]} et al.` : authors;
}

/** "LagKV: Liang et al. 2025", as far as it is known. */
export function citationText({ title, source }: Pick<ListedMethod, 'title' | 'source'>): string {
  const authors = source?.authors ? shortAuthors(source.authors) : null;
  const by = [authors, source?.year].filter((fact) => fact !== null && fact !== undefined).join(' ');
  return by ? `${title}: ${by}` : title;
}
