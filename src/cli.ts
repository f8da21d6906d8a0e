/** The command line: the same engine without a page. Contract: docs/cli.md, "The command line". */

import { runCommandLine } from './cli/run';

// A GPU instance keeps Node alive; everything is written by now.
process.exit(await runCommandLine(process.argv.slice(2)));
