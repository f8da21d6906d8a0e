import { UserError } from '../../base/user-error';

const POINTER_START = 'version https://git-lfs.github.com/spec/';

/** UserError for what Git leaves in place of a large file that was not fetched: the commonest reason for a file of no kind. */
export function refusePointer(bytes: Uint8Array, file: string): void {
  const start = bytes.subarray(0, POINTER_START.length);
  if (start.length === POINTER_START.length && String.fromCharCode(...start) === POINTER_START) {
    throw new UserError(
      `${file} is a Git LFS pointer instead of the file itself; fetch it with "git lfs pull", or download it.`,
    );
  }
}

/**
 * A JSON file as Python writes it: NaN and Infinity, which JSON does not have, are read as those words, so that only a setting
 * that needs a number minds. UserError for what is not JSON.
 */
export function parseJsonFile(bytes: Uint8Array, file: string): unknown {
  refusePointer(bytes, file);
  try {
    const text = new TextDecoder('utf-8', { fatal: true }).decode(bytes);
    try {
      return JSON.parse(text);
    } catch (error) {
      if (!/NaN|Infinity/.test(text)) throw error;
      return JSON.parse(withQuotedNumbers(text));
    }
  } catch {
    throw new UserError(`${file} is not JSON: it is damaged or another file.`);
  }
}

const words = ['NaN', '-Infinity', 'Infinity'];

/** A plain scan, as a regular expression could run out of stack on a string of many megabytes. */
function withQuotedNumbers(text: string): string {
  const parts: string[] = [];
  let done = 0;
  for (let i = 0; i < text.length; i++) {
    if (text[i] === '"') {
      i++;
      while (i < text.length && text[i] !== '"') i += text[i] === '\\' ? 2 : 1;
      continue;
    }
    const word = words.find((each) => text.startsWith(each, i));
    if (word === undefined) continue;
    parts.push(text.slice(done, i), `"${word}"`);
    i += word.length - 1;
    done = i + 1;
  }
  parts.push(text.slice(done));
  return parts.join('');
}
