/**
 * A regular expression of a tokenizer's can go on for ever over a text that it does not match, and nothing else in the process runs
 * meanwhile. The page ends the worker in which that happens; here the work itself is ended.
 */
import { Script } from 'node:vm';
import { UserError } from '../base/user-error';

const NAME = 'keyholeLimitedWork';
const script = new Script(`${NAME}()`);

/** For a text of so many characters: 10 s, and 1 ms a character, dozens of times what encoding takes. */
export const encodingMilliseconds = (characters: number): number => 10_000 + characters;

/**
 * What `work` returns; its own errors pass. Throws UserError when it is not done after so many milliseconds, wherever it is then.
 * `what` begins the sentence.
 */
export function withinTime<T>(milliseconds: number, what: string, work: () => T): T {
  const scope = globalThis as { [NAME]?: () => T };
  scope[NAME] = work;
  try {
    return script.runInThisContext({ timeout: milliseconds }) as T;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ERR_SCRIPT_EXECUTION_TIMEOUT') throw error;
    throw new UserError(
      `${what} has no end after ${Math.round(milliseconds / 1000)} s: a regular expression of tokenizer.json goes on for ever over it; give token ids (--ids-file) or another text.`,
    );
  } finally {
    delete scope[NAME];
  }
}
