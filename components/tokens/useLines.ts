import { useMemo } from 'react';
import { breakLines, type Line } from './lines';
import { tokenWidth } from './measure';

/** Must agree with tokens.css: the font of the strip and the sides of a token. */
export const stripFont =
  '12.5px ui-monospace, "SF Mono", "Cascadia Mono", Menlo, Consolas, "DejaVu Sans Mono", monospace';
export const tokenPadding = 2;
export const lineHeight = 25;

export function useLines(tokenTexts: readonly string[], width: number): readonly Line[] {
  const whole = Math.floor(width);
  return useMemo(
    () => breakLines(tokenTexts, whole, (text) => tokenWidth(text, stripFont, tokenPadding)),
    [tokenTexts, whole],
  );
}
