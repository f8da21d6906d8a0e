/** Standard output. */
import { UserError } from '../base/user-error';
import { reason } from './files';

/**
 * Writes to standard output, and waits until it is written. Throws UserError where it cannot be, except where nobody reads
 * any more: a pipe whose reader has had enough is no failure.
 */
export function print(text: string): Promise<void> {
  const { stdout } = process;
  return new Promise((resolve, reject) => {
    const settle = (error?: Error | null): void => {
      if (!error || (error as NodeJS.ErrnoException).code === 'EPIPE') resolve();
      else reject(new UserError(`Standard output cannot be written: ${reason(error)}.`));
    };
    stdout.once('error', settle);
    stdout.write(text, (error) => {
      // The event follows the callback; unheard, it would end the process with a stack.
      if (!error) stdout.off('error', settle);
      settle(error);
    });
  });
}
