/** Texts of tokens as they are shown. */
import type { TextFacts } from '../study/facts';

const shown = new WeakMap<TextFacts, readonly string[]>();

/** `tokenTexts`, but for tokens that hold a part of a character: these have no text of their own and are shown by their bytes. */
export function shownTexts(text: TextFacts): readonly string[] {
  const { tokenTexts, partNames = {} } = text;
  const known = shown.get(text);
  if (known) return known;
  const parts = Object.entries(partNames);
  const texts = parts.length === 0 ? tokenTexts : tokenTexts.slice();
  for (const [token, name] of parts) (texts as string[])[Number(token)] = name;
  shown.set(text, texts);
  return texts;
}
