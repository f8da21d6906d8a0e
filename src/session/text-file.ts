/** The text under study as a file for the command line. */
import type { SourceSpec, TextFacts } from '../study/types';

/** Own text as it was given; otherwise its tokens joined, without the beginning token, which the command line adds. */
export function textOfStudy(source: SourceSpec, { tokenTexts }: Pick<TextFacts, 'tokenTexts'>): string {
  if (source.kind === 'text') return source.text;
  const hasBeginning = /^(<.+>|\[.+\])$/.test(tokenTexts[0] ?? '');
  return tokenTexts.slice(hasBeginning ? 1 : 0).join('');
}
