/** Where a value comes from, in words and as rows: panels, tables and exports name it. */

import { sampleTexts } from '../../samples/texts';
import { fingerprint } from '../../src/base/fingerprint';
import type { MethodSpec } from '../../src/methods/method-spec';
import { isTable, type ParameterSchema, type ParameterValue } from '../../src/methods/parameters';
import type { Choice, MeasuredBy } from '../../src/page/measured';
import type { FindMethod } from '../../src/study/default-study';
import { BUNDLED_MODEL } from '../../src/study/default-study';
import { asksQuestion, type SourceSpec } from '../../src/study/spec';
import { taskList } from '../../src/tasks';
import { formatCount, formatNumber, formatPercent } from './format';

/** ESA; the id where this version has no such method. */
export function methodTitle({ id }: MethodSpec, findMethod: FindMethod): string {
  return findMethod(id)?.title ?? id;
}

/** "Kept keys 25 %, Seed 1": the parameters that are named. */
function parametersText(
  { id, parameters }: MethodSpec,
  findMethod: FindMethod,
  names: readonly string[],
): string {
  const schemas = findMethod(id)?.parameters ?? {};
  return names
    .map((name) => `${schemas[name]?.label ?? name} ${valueText(parameters[name], schemas[name])}`)
    .join(', ');
}

/** How many changed parameters of a stale value are named; the rest are counted, as a preset changes most of them. */
const MOST_TOLD_PARAMETERS = 2;

/**
 * Names the choice behind a stale value by what differs from the present one: "ESA, Selected tokens 64". Of another method's
 * parameters only those that the present method also has: the others were not changed.
 */
export function staleName(by: MeasuredBy, choice: Choice, findMethod: FindMethod): string {
  const isOtherText = fingerprint(by.source) !== fingerprint(choice.source);
  const { parameters } = choice.method;
  const isOtherMethod = by.method.id !== choice.method.id;
  const changed = Object.keys(by.method.parameters).filter(
    (name) =>
      (!isOtherMethod || Object.hasOwn(parameters, name)) &&
      fingerprint(by.method.parameters[name]) !== fingerprint(parameters[name]),
  );
  const more = changed.length - MOST_TOLD_PARAMETERS;
  const names = [
    methodTitle(by.method, findMethod),
    parametersText(by.method, findMethod, changed.slice(0, MOST_TOLD_PARAMETERS)),
    more > 0 ? `${more} more ${more === 1 ? 'parameter' : 'parameters'}` : '',
  ];
  if (isOtherText || by.model !== choice.model) names.push(sourceText(by));
  else if ((by.chatTemplate ?? false) !== (choice.chatTemplate ?? false)) names.push(chatText(by));
  else if (by.startToken !== choice.startToken) names.push(startText(by));
  else if (by.queriesStart !== choice.queriesStart) names.push(queriesText(by));
  return names.filter((name) => name !== '').join(', ');
}

/** The choice behind a stale value, with all its parameters. */
export function wholeName(by: MeasuredBy, findMethod: FindMethod): string {
  const names = Object.keys(by.method.parameters);
  return [methodTitle(by.method, findMethod), parametersText(by.method, findMethod, names), sourceText(by)]
    .filter((name) => name !== '')
    .join(', ');
}

/** Everything a value depends on, for whoever reads it next month. */
export function provenanceRows(
  by: MeasuredBy,
  isStale: boolean,
  link: string,
  findMethod: FindMethod,
): [name: string, value: string][] {
  const { modelDigest, model, method } = by;
  return [
    ['study', sourceText(by)],
    ...(by.startToken === null ? [] : [['start token', startText(by)] as [string, string]]),
    ...(by.chatTemplate ? [['chat template', 'the model’s'] as [string, string]] : []),
    ['queries', queriesText(by)],
    ['method', methodTitle(method, findMethod)],
    ['parameters', JSON.stringify(method.parameters)],
    ['model', `${model === BUNDLED_MODEL ? 'bundled model' : model}, digest ${modelDigest ?? 'not known'}`],
    ['version', `Keyhole ${by.version}`],
    ['link', link],
    ...(isStale
      ? [['stale', 'true: measured before the choice that the page shows'] as [string, string]]
      : []),
  ];
}

/** "Four needles, 1,024 tokens · depth spread · seed 7" */
function sourceText({ source }: MeasuredBy): string {
  const { title, detail } = describeSource(source, undefined);
  return detail === '' ? title : `${title}, ${detail}`;
}

function queriesText({ queriesStart, source }: MeasuredBy): string {
  if (queriesStart === 'answer') return 'queries of the answer, after the question';
  if (queriesStart !== null) return `queries from token ${queriesStart}`;
  return asksQuestion(source) ? 'queries of question and answer' : 'queries of the last eighth of the text';
}

function chatText({ chatTemplate }: MeasuredBy): string {
  return chatTemplate ? 'with the chat template' : 'without a chat template';
}

function startText({ startToken }: MeasuredBy): string {
  if (startToken === null) return 'start token as the tokenizer has it';
  return startToken ? 'with the start token' : 'without a start token';
}

function valueText(value: ParameterValue | undefined, schema: ParameterSchema | undefined): string {
  if (value === undefined) return 'not set';
  if (typeof value === 'string' || typeof value === 'boolean') return String(value);
  if (isTable(value))
    return value.length === 0 ? 'not given' : `${formatCount(value.flat().length)} numbers given`;
  const isPercent = schema?.kind === 'fraction' && schema.unit === '%';
  const one = (number: number) => (isPercent ? formatPercent(number) : formatNumber(number, 12));
  return typeof value === 'number' ? one(value) : `${value.map(one).join(' · ')} by layer`;
}

/** A source in words; a task has at most the tokens asked for. `tokens`: of the text once read; until then samples and own texts have no length. */
export function describeSource(
  source: SourceSpec,
  tokens: number | undefined,
): { title: string; detail: string } {
  if (source.kind === 'task') {
    const title = taskList.find((task) => task.id === source.task)?.title ?? source.task;
    const depth = source.depth === 'spread' ? 'spread' : `at ${formatPercent(source.depth)}`;
    return { title, detail: `≤ ${formatCount(source.tokens)} tokens · depth ${depth} · seed ${source.seed}` };
  }
  const known = source.kind === 'sample' ? (tokens ?? source.tokens ?? undefined) : tokens;
  const detail = known === undefined ? '' : `${formatCount(known)} tokens`;
  if (source.kind === 'text')
    return { title: source.question === undefined ? 'Own text' : 'Own question', detail };
  const title = sampleTexts.find((sample) => sample.id === source.sample)?.title ?? source.sample;
  return { title, detail };
}
