/** A command line from its words to its exit code. */

import { isUserError, UserError } from '../base/user-error';
import { evaluateCommand } from './evaluate';
import { forwardCommand } from './forward';
import { helpText, verbHelp } from './help';
import { nearestName, verbEntry } from './options';
import { print } from './print';
import { recordCommand } from './record';
import { selectCommand } from './select';
import { sweepCommand } from './sweep';

const verbs: Readonly<Record<string, (args: string[]) => Promise<void>>> = {
  forward: forwardCommand,
  select: selectCommand,
  sweep: sweepCommand,
  evaluate: evaluateCommand,
  record: recordCommand,
};

async function main(args: string[]): Promise<void> {
  const [verb, ...rest] = args;
  if (verb === undefined || (isHelp(verb) && rest.length === 0)) return print(helpText());
  const asked = isHelp(verb) ? rest[0] : verb;
  if (!Object.hasOwn(verbs, asked!)) {
    const names = Object.keys(verbs);
    const nearest = nearestName(asked!, names);
    const hint = nearest ? `did you mean ${nearest}? Use` : 'use';
    throw new UserError(`There is no verb "${asked}"; ${hint} one of ${names.join(', ')}, or help.`);
  }
  if (isHelp(verb) || rest.some((argument) => argument === '--help' || argument === '-h'))
    return print(verbHelp(verbEntry(asked!)));
  await verbs[verb]!(rest);
}

function isHelp(word: string): boolean {
  return word === 'help' || word === '--help' || word === '-h';
}

/**
 * Runs the verb that `args`, the words after the program's name, begin with; what goes wrong is one line on standard error.
 * Gives the exit code.
 */
export async function runCommandLine(args: string[]): Promise<number> {
  try {
    await main(args);
    return 0;
  } catch (error) {
    // One line, whatever file content the sentence quotes: nothing of it may move a terminal's cursor.
    const text = isUserError(error)
      ? error.message.replace(/[\s\p{Cc}]+/gu, ' ')
      : `Keyhole failed: ${error instanceof Error ? error.stack : error}`;
    process.stderr.write(`${text}\n`);
    return 1;
  }
}
