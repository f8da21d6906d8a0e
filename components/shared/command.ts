/** Command lines that make what a panel shows (design.md, "Command line"). */
import type { ParameterContext } from '../../src/methods/parameters';
import type { Session } from '../../src/session/session';

const program = 'npm run --silent keyhole --';

/** Where a file takes part that the page has no path for, the place is named in capitals. */
function sourceArguments({ model, source }: Session): string {
  const folder = model === 'bundled' ? 'samples/model' : model;
  const file = source.kind === 'sample' ? `samples/texts/${source.sample}.txt` : 'TEXT.txt';
  return `--model ${quoteArgument(folder)} --text ${quoteArgument(file)}`;
}

export function selectCommand(session: Session): string {
  const { id, parameters } = session.method;
  return `${program} select ${sourceArguments(session)} --method ${id} --params ${quoteArgument(JSON.stringify(parameters))} --out selection.safetensors`;
}

export function sweepCommand(session: Session, keeps: readonly number[]): string {
  const methods = [session.method, ...session.pinned];
  const parameters = Object.fromEntries(methods.map((method) => [method.id, method.parameters]));
  const queries = session.queriesStart === null ? '' : ` --queries ${session.queriesStart}`;
  return `${program} sweep ${sourceArguments(session)} --methods ${Object.keys(parameters).join(',')} --keep ${keeps.join(',')} --params ${quoteArgument(JSON.stringify(parameters))}${queries} --out sweep.json`;
}

/** Null for texts that are no task: nothing to evaluate. */
export function evaluateCommand(session: Session, context: ParameterContext): string | null {
  if (session.source.kind !== 'task') return null;
  const folder = session.model === 'bundled' ? 'samples/model' : session.model;
  const methods = quoteArgument(JSON.stringify([session.method]));
  return `${program} evaluate --model ${quoteArgument(folder)} --tasks ${session.source.task} --tokens ${context.tokens} --methods ${methods} --seeds 20 --out accuracy.json`;
}

/** One argument of a POSIX shell. */
function quoteArgument(text: string): string {
  return /^[\w./:,-]+$/.test(text) ? text : `'${text.replaceAll("'", `'\\''`)}'`;
}
