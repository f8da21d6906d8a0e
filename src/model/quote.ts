/** Text cut to a length, so that one bad name cannot fill the page. */
export function shorten(text: string, longest: number): string {
  return text.length > longest ? `${text.slice(0, longest)}…` : text;
}

/** Text from a file or link, quoted for an error message: escaped and cut. */
export function quote(text: string, longest = 80): string {
  return JSON.stringify(shorten(text, longest));
}
