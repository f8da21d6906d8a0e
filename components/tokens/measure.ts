/** Widths of token texts in the strip's font, each measured once. */
import { showToken } from '../shared/format';

const usualCharacterWidth = 7.3;
const widths = new Map<string, number>();
let context: CanvasRenderingContext2D | null | undefined;

/** CSS pixels, padding included. `font` is a CSS font. */
export function tokenWidth(text: string, font: string, padding: number): number {
  const key = `${font}|${text}`;
  const known = widths.get(key);
  if (known !== undefined) return known;
  context ??= document.createElement('canvas').getContext('2d');
  const shown = showToken(text);
  let width = shown.length * usualCharacterWidth;
  if (context) {
    context.font = font;
    width = context.measureText(shown).width;
  }
  widths.set(key, width + padding);
  return width + padding;
}
