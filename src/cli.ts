/** The command line: the same engine without a page. Contract: docs/cli.md, "The command line". */

import { isUserError, UserError } from './base/user-error';
import { evaluateCommand } from './cli/evaluate';
import { forwardCommand } from './cli/forward';
import { helpText, verbHelp } from './cli/help';
import { nearestName, verbEntry } from './cli/options';
import { print } from './cli/print';
import { recordCommand } from './cli/record';
import { selectCommand } from './cli/select';
import { sweepCommand } from './cli/sweep';

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

try {
  await main(process.argv.slice(2));
  // A GPU instance keeps Node alive; everything is written by now.
  process.exit(0);
} catch (error) {
  // One line, whatever file content the sentence quotes: nothing of it may move a terminal's cursor.
  const text = isUserError(error)
    ? error.message.replace(/[\s\p{Cc}]+/gu, ' ')
    : `Keyhole failed: ${error instanceof Error ? error.stack : error}`;
  process.stderr.write(`${text}\n`);
  process.exit(1);
}
