/** Breaks a text into lines of tokens by their measured widths, so that only lines in view need elements. */

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

/** The line that has a token. */
export function lineOf(lines: readonly Line[], token: number): number {
  let low = 0;
  let high = lines.length - 1;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (lines[middle]!.end <= token) low = middle + 1;
    else high = middle;
  }
  return low;
}
