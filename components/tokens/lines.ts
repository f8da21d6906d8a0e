/** Breaks a text into lines of tokens by measured widths, so that only lines in view need elements. */
import { bisector } from 'd3-array';
import { useMemo } from 'react';
import { showToken } from '../shared/format';

export interface Line {
  /** Tokens [start, end). */
  readonly start: number;
  readonly end: number;
}

/** A line ends where the next token does not fit, and after a token with a line end. Every line has at least one token. */
export function breakLines(
  tokenTexts: readonly string[],
  width: number,
  widthOf: (token: string) => number,
): Line[] {
  const lines: Line[] = [];
  let start = 0;
  let used = 0;
  for (const [token, text] of tokenTexts.entries()) {
    const tokenWidth = widthOf(text);
    if (token > start && used + tokenWidth > width) {
      lines.push({ start, end: token });
      start = token;
      used = 0;
    }
    used += tokenWidth;
    if (text.includes('\n')) {
      lines.push({ start, end: token + 1 });
      start = token + 1;
      used = 0;
    }
  }
  if (start < tokenTexts.length) lines.push({ start, end: tokenTexts.length });
  return lines;
}

/** The line that a token is in. */
export function lineOf(lines: readonly Line[], token: number): number {
  return endOf.right(lines, token, 0, lines.length - 1);
}

const endOf = bisector(({ end }: Line) => end);

const USUAL_CHARACTER_WIDTH = 7.3;
const widths = new Map<string, number>();
let context: CanvasRenderingContext2D | null | undefined;

/** CSS pixels, padding included. `font` is a CSS font. */
function tokenWidth(text: string, font: string, padding: number): number {
  const key = `${font}|${text}`;
  const known = widths.get(key);
  if (known !== undefined) return known;
  context ??= document.createElement('canvas').getContext('2d');
  const shown = showToken(text);
  let width = shown.length * USUAL_CHARACTER_WIDTH;
  if (context) {
    context.font = font;
    width = context.measureText(shown).width;
  }
  widths.set(key, width + padding);
  return width + padding;
}

/** Must agree with TokenStrip.module.css: the font of the strip and the sides of a token. */
const STRIP_FONT =
  '12.5px ui-monospace, "SF Mono", "Cascadia Mono", Menlo, Consolas, "DejaVu Sans Mono", monospace';
const TOKEN_PADDING = 2;
export const LINE_HEIGHT = 25;

export function useLines(tokenTexts: readonly string[], width: number): readonly Line[] {
  const whole = Math.floor(width);
  return useMemo(
    () => breakLines(tokenTexts, whole, (text) => tokenWidth(text, STRIP_FONT, TOKEN_PADDING)),
    [tokenTexts, whole],
  );
}
