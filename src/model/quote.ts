/** Text from a file or link, quoted for an error message: escaped, and cut so that one bad name cannot fill the page. */
export function quote(text: string, longest = 80): string {
  return JSON.stringify(text.length > longest ? `${text.slice(0, longest)}…` : text);
}
