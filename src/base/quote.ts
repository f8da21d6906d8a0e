/** Text cut to a length, so that one bad name cannot fill the page. */
export function shorten(text: string, longest: number): string {
  return text.length > longest ? `${text.slice(0, longest)}…` : text;
}

/**
 * Text from a file or link, quoted for a sentence: cut, and with all that cannot be seen or turns the direction of writing
 * escaped, so that it cannot make the sentence say something else.
 */
export function quote(text: string, longest = 80): string {
  return JSON.stringify(shorten(text, longest)).replace(
    /[\p{C}\u2028\u2029]/gu,
    (character) => `\\u{${character.codePointAt(0)!.toString(16)}}`,
  );
}
