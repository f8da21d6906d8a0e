/** The command line: the same engine without a page. Contract: docs/contracts.md, "Command line". */
import { evaluateCommand } from './cli/evaluate';
import { forwardCommand } from './cli/forward';
import { helpText } from './cli/help';
import { recordCommand } from './cli/record';
import { selectCommand } from './cli/select';
import { sweepCommand } from './cli/sweep';
import { isUserError, UserError } from './user-error';

const verbs: Readonly<Record<string, (args: string[]) => Promise<void>>> = {
  forward: forwardCommand,
  select: selectCommand,
  sweep: sweepCommand,
  evaluate: evaluateCommand,
  record: recordCommand,
};

async function main(args: string[]): Promise<void> {
  const [verb, ...rest] = args;
  if (verb === undefined || verb === 'help' || verb === '--help' || rest.includes('--help')) {
    process.stdout.write(helpText);
    return;
  }
  if (!Object.hasOwn(verbs, verb)) {
    throw new UserError(`There is no verb "${verb}"; use one of ${Object.keys(verbs).join(', ')}, or help.`);
  }
  await verbs[verb](rest);
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
