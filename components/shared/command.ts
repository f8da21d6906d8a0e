/** Command lines that make what a panel shows (docs/cli.md, "The command line"). */

import { fingerprint } from '../../src/base/fingerprint';
import { sweptAnswer } from '../../src/measure/swept-queries';
import { IMPORTED_ID, isImported } from '../../src/methods/imported';
import type { Method } from '../../src/methods/method';
import type { MethodSpec } from '../../src/methods/method-spec';
import type { ParameterContext } from '../../src/methods/parameters';
import type { Session } from '../../src/page/choices';
import { equivalentBudget } from '../../src/page/equivalent-budget';
import { isFull } from '../../src/page/map-positions';
import type { FindMethod } from '../../src/study/default-study';
import type { SavedText } from '../../src/study/facts';
import { evictAfterOf } from '../../src/study/spec';

const PROGRAM = 'npm run --silent keyhole --';

/** The name under which the page saves the file that the command reads. */
export function sourceFileName(saved: SavedText): string {
  return 'text' in saved ? 'TEXT.txt' : 'IDS.json';
}

export interface Command {
  readonly line: string;
  /** One sentence on where the command differs from the page. */
  readonly notice: string | null;
}

/** The study that commands are about. */
export interface CommandStudy {
  readonly session: Session;
  readonly findMethod: FindMethod;
  /** `tokens`: of the text as it was read. */
  readonly context: ParameterContext;
  /** The first query that is measured. */
  readonly queriesStart: number;
  /** First token of the answer; null: the text has none. */
  readonly answerStart: number | null;
  /** What the command reads the text from; null: not known yet. */
  readonly saved: SavedText;
}

/** The keys of the last query of the text. */
export function selectCommand(study: CommandStudy): Command {
  const { session, queriesStart, context } = study;
  const { id, parameters } = session.method;
  const method = study.findMethod(id);
  const asked = isImported(id)
    ? `--kept ${keptFile(method)}`
    : `--method ${id} --params ${quoteArgument(JSON.stringify(parameters))}`;
  const line = `${PROGRAM} select ${sourceArguments(study)} ${asked} --out selection.safetensors`;
  const end = study.answerStart ?? context.tokens;
  const isElsewhere = method !== null && evictsAtQueries(method, study) && queriesStart !== end;
  return {
    line,
    notice: isElsewhere
      ? `The command evicts ${study.answerStart === null ? 'after the last token' : 'before the answer'}; the page evicts before token ${queriesStart.toLocaleString('en')}.`
      : null,
  };
}

/** Recall, error and cost at the study's own point; where `sweep` has no such point, the keys. */
export function pointCommand(study: CommandStudy): Command {
  const { session, context, queriesStart, answerStart } = study;
  const method = study.findMethod(session.method.id);
  const keep =
    method && equivalentBudget(method, session.method.parameters, context, queriesStart, answerStart);
  if (keep !== null) return { line: sweepLine(study, [session.method], [keep], 'sweep.json'), notice: null };
  const { line, notice } = selectCommand(study);
  const reason = 'No kept fraction of sweep keeps just these keys, so the command lists them.';
  return { line, notice: notice === null ? reason : `${reason} ${notice}` };
}

/** All curves; parameters go by method id, so a method that appears twice takes a second command. */
export function sweepCommand(study: CommandStudy, keeps: readonly number[]): Command {
  const { method, pinned } = study.session;
  const different = [method, ...pinned].filter(
    (spec, at, all) => all.findIndex((other) => fingerprint(other) === fingerprint(spec)) === at,
  );
  const groups: MethodSpec[][] = [];
  const kindOf = ({ id }: MethodSpec): string => (isImported(id) ? IMPORTED_ID : id);
  for (const spec of different) {
    const group = groups.find((specs) => specs.every((other) => kindOf(other) !== kindOf(spec)));
    if (group) group.push(spec);
    else groups.push([spec]);
  }
  const lines = groups.map((specs, at) =>
    sweepLine(study, specs, keeps, at === 0 ? 'sweep.json' : `sweep-${at + 1}.json`),
  );
  const notices = [
    lines.length > 1 &&
      `These are ${lines.length} commands, because one takes each method with one set of parameters.`,
    sweptNotice(study),
  ].filter((notice) => typeof notice === 'string');
  return { line: lines.join('\n'), notice: notices.length === 0 ? null : notices.join(' ') };
}

/** The page's curves sample the tokens of a long answer, which the command does not. */
function sweptNotice({ queriesStart, context, answerStart }: CommandStudy): string | null {
  const swept = sweptAnswer({ start: queriesStart, end: context.tokens }, answerStart);
  return (
    swept &&
    `The command measures all ${swept.end - swept.start} tokens of the answer, the page’s curves ${swept.taken.size} of them: mass recall differs a little.`
  );
}

/** The study's seed and the next 19. Null for texts that are no task: nothing to evaluate. */
export function evaluateCommand({ session, findMethod }: CommandStudy): Command | null {
  const { source, method } = session;
  if (source.kind !== 'task' || isImported(method.id)) return null;
  // Full attention at stretched positions stands beside itself, and needs a name of its own.
  const named = method.id === 'full' ? { ...method, label: `full, ${method.parameters.rope}` } : method;
  const methods = isFull(method, findMethod) ? [method] : ['full', named];
  return {
    line: `${PROGRAM} evaluate --model ${modelArgument(session)} --tasks ${source.task} --tokens ${source.tokens} --methods ${quoteArgument(JSON.stringify(methods))} --first-seed ${source.seed} --seeds 20${evictArgument(session)}${session.chatTemplate ? ' --chat-template' : startArgument(session)} --out accuracy.json`,
    notice: source.depth === 'spread' ? null : 'The command spreads the needles over the text.',
  };
}

function sweepLine(
  study: CommandStudy,
  specs: readonly MethodSpec[],
  keeps: readonly number[],
  out: string,
): string {
  const named = specs.filter(({ id }) => !isImported(id));
  const parameters = Object.fromEntries(named.map((method) => [method.id, method.parameters]));
  // One command reads one file.
  const file = specs.find(({ id }) => isImported(id));
  const methods = named.length === 0 ? '' : ` --methods ${Object.keys(parameters).join(',')}`;
  const kept = file ? ` --kept ${keptFile(study.findMethod(file.id))}` : '';
  const given = named.length === 0 ? '' : ` --params ${quoteArgument(JSON.stringify(parameters))}`;
  return `${PROGRAM} sweep ${sourceArguments(study)}${methods}${kept} --keep ${keeps.join(',')}${given} --queries ${study.queriesStart} --out ${out}`;
}

/** The file that an imported method was made of, as its title names it. */
function keptFile(method: Method | null): string {
  return quoteArgument(method?.title.replace(/^Imported: /, '') ?? 'kept.safetensors');
}

/** Whether the method evicts once, before the queries: its blocks then start afresh there, wherever that is. */
function evictsAtQueries(method: Method, { session, context }: CommandStudy): boolean {
  const firstBlocks = [1, 2].map((evictAt) =>
    method.blocks(session.method.parameters, context.tokens, evictAt, context).slice(0, 2),
  );
  return fingerprint(firstBlocks[0]) !== fingerprint(firstBlocks[1]);
}

function sourceArguments(study: CommandStudy): string {
  const answer = study.answerStart === null ? '' : ` --answer ${study.answerStart}`;
  return `${textArguments(study)}${answer}`;
}

function textArguments({ session, saved }: CommandStudy): string {
  const { source } = session;
  const model = `--model ${modelArgument(session)}`;
  if (saved && 'ids' in saved) return `${model} --ids-file ${sourceFileName(saved)}`;
  // A whole sample has a file of its own.
  const isWhole = source.kind === 'sample' && source.tokens === null && !session.chatTemplate;
  const file = isWhole ? `samples/texts/${source.sample}.txt` : sourceFileName(saved);
  return `${model} --text ${quoteArgument(file)}${startArgument(session)}`;
}

function evictArgument(session: Session): string {
  return evictAfterOf(session) === 'question' ? ' --evict-after question' : '';
}

function startArgument({ startToken, chatTemplate }: Session): string {
  // The saved text is what the template has made of it.
  if (chatTemplate) return ' --no-start-token';
  if (startToken === null) return '';
  return startToken ? ' --start-token' : ' --no-start-token';
}

function modelArgument({ model }: Session): string {
  return quoteArgument(model === 'bundled' ? 'samples/model' : model);
}

/** One argument of a POSIX shell. */
function quoteArgument(text: string): string {
  return /^[\w./:,-]+$/.test(text) ? text : `'${text.replaceAll("'", `'\\''`)}'`;
}
