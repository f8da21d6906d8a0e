/** Passages of the docs that are made from the program: tables of methods and parameters, usage of verbs, files that a test compiles. */
import { existsSync, readFileSync } from 'node:fs';
import { verbHelp } from '../src/cli/help';
import { verbs } from '../src/cli/options';
import { methods } from '../src/methods';
import { methodsNotRun } from '../src/methods/not-run';
import {
  isGivenOnly,
  type ParameterContext,
  type ParameterSchema,
  type Parameters,
} from '../src/methods/parameters';
import { bundledModelFacts } from '../src/study/context';
import { comparisonTable } from './comparison-table';
import { budgetRows, memoRows } from './docs-methods';
import { root } from './setup.mjs';

const PASSAGE = /(<!-- generated: ([^>]+?) -->\n)[\s\S]*?(<!-- end -->)/g;

const PROSE_WIDTH = 120;

/**
 * A document with its passages made anew: what stands between `<!-- generated: KIND NAME -->` and `<!-- end -->`.
 *
 * @throws Error for a kind or name that is not known
 */
export async function fillPassages(document: string): Promise<string> {
  let filled = '';
  let rest = 0;
  for (const { index, 0: all, 1: head = '', 2: name = '', 3: tail = '' } of document.matchAll(PASSAGE)) {
    filled += `${document.slice(rest, index)}${head}${await passage(name)}\n${tail}`;
    rest = index + all.length;
  }
  return filled + document.slice(rest);
}

async function passage(name: string): Promise<string> {
  const [kind, of = ''] = name.split(' ');
  if (kind === 'methods') return methodsTable();
  if (kind === 'methods-not-run') return notRunTable();
  if (kind === 'method-ids') return methodIds();
  if (kind === 'parameters') return parametersTable(of);
  if (kind === 'agreement') return agreementTable(of);
  if (kind === 'agreement-of-models') return modelAgreementTable();
  if (kind === 'budgets') return budgetsTable();
  if (kind === 'memo') return memoTable();
  if (kind === 'presets') return presetsTable();
  if (kind === 'usage') return usage(of);
  if (kind === 'comparison') return comparisonTable(readFileSync(`${root}/docs/comparison.json`, 'utf8'), of);
  if (kind === 'method') return fenced('ts', methodSource(of));
  throw new Error(`no passage "${name}"`);
}

function budgetsTable(): string {
  return table(
    ['method', '`decides`', '`sweep --keep 0.25` sets', 'its last query then sees', 'least it can keep'],
    budgetRows(),
  );
}

async function memoTable(): Promise<string> {
  return table(['method', 'found again when these move', 'made anew when these move'], await memoRows());
}

/** What papers and kvpress give: values as they give them, whatever a text allows. */
function presetsTable(): string {
  const written = (values: Parameters): string =>
    Object.entries(values)
      .map(([name, value]) => `\`${name}\` ${value}`)
      .join(', ') || '–';
  const rows = methods.flatMap(({ id, parameters, presets = {} }) => {
    const { paper, kvpress } = presets;
    const given = Object.entries(parameters).flatMap(([name, schema]) =>
      schema.paper === undefined ? [] : [[name, schema.paper]],
    );
    if (!paper && !kvpress) return [];
    const places = [paper?.evictAfter ?? '–', kvpress?.evictAfter ?? '–'];
    const ofKvpress = kvpress ? written(kvpress.parameters ?? {}) : 'not there';
    const ofPaper = paper ? `${paper.from}: ${written(Object.fromEntries(given))}` : '–';
    return [[`\`${id}\``, ofPaper, places[0]!, ofKvpress, places[1]!]];
  });
  return table(
    [
      'method',
      'as in the paper, or in its authors’ code',
      'evicts after',
      'kvpress’s defaults',
      'evicts after',
    ],
    rows,
  );
}

/** Lines of the width of the prose around them. */
function methodIds(): string {
  const lines = [''];
  for (const [i, { id }] of methods.entries()) {
    const word = `\`${id}\`${i < methods.length - 1 ? ',' : ''}`;
    const line = lines.at(-1)!;
    if (line && line.length + 1 + word.length > PROSE_WIDTH) lines.push(word);
    else lines[lines.length - 1] = line ? `${line} ${word}` : word;
  }
  return lines.join('\n');
}

function methodsTable(): string {
  const rows = methods.map(({ id, summary, citation }) => [
    `\`${id}\``,
    summary,
    citation ? `[${citation.url.split('/').at(-1)}](${citation.url})` : '–',
  ]);
  return table(['id', 'what it does', 'paper'], rows);
}

function notRunTable(): string {
  const rows = methodsNotRun.map(({ title, summary, reason, authors, year, url }) => {
    const by = [authors, year].filter((fact) => fact !== null).join(' ');
    return [`[${title}](${url})${by && `, ${by}`}`, summary, reason];
  });
  return table(['method', 'what it does', 'why it is not run'], rows);
}

/** What defaults may depend on, in two cases that share nothing: a default that differs needs its rule in words. */
const CONTEXTS: readonly ParameterContext[] = [
  { ...bundledModelFacts, tokens: 1024 },
  {
    tokens: 40_000,
    trainedTokens: 131_072,
    layers: 32,
    queryHeads: 32,
    keyValueHeads: 8,
    headDimension: 128,
  },
];

function parametersTable(id: string): string {
  const method = methods.find((candidate) => candidate.id === id);
  if (!method) throw new Error(`no method "${id}"`);
  const resolved = CONTEXTS.map((context) => defaultsOf(method.parameters, context));
  const rows = Object.entries(method.parameters).map(([name, schema]) => {
    const values = new Set(resolved.map((parameters) => JSON.stringify(parameters[name])));
    if (values.size > 1 && schema.defaultRule === undefined)
      throw new Error(`the default of ${id}'s ${name} needs a defaultRule`);
    return [
      `\`${name}\``,
      isGivenOnly(schema)
        ? '– (`--params` only)'
        : schema.symbol
          ? `${schema.label}, ${schema.symbol}`
          : schema.label,
      valuesOf(schema),
      schema.defaultRule ?? ([...values].join().replaceAll('"', '') || '–'),
      schema.paper === undefined || !method.presets?.paper ? '–' : String(schema.paper),
      meaningOf(schema),
    ];
  });
  return table(['parameter', 'on the page', 'values', 'default', 'paper or code', 'meaning'], rows);
}

function defaultsOf(schemas: Readonly<Record<string, ParameterSchema>>, context: ParameterContext) {
  let resolved: Parameters = {};
  for (const [name, schema] of Object.entries(schemas)) {
    resolved = { ...resolved, [name]: schema.default(context, resolved) };
  }
  return resolved;
}

function valuesOf(schema: ParameterSchema): string {
  if (schema.kind === 'choice')
    return schema.options.flatMap(({ value }) => (value === '' ? [] : [value])).join(' · ');
  if (schema.kind === 'table') {
    const { row, column, unit, minimum, maximum } = schema;
    return `a list for each ${row}, in it ${unit} for each ${column}, ${minimum} … ${maximum}`;
  }
  const { minimum, maximum } = schema;
  const most = typeof maximum === 'number' ? [maximum] : [...new Set(CONTEXTS.map(maximum))];
  const unit = schema.unit && schema.unit !== '%' ? ` ${schema.unit}` : '';
  return most.length === 1 ? `${minimum} … ${most[0]}${unit}` : `${minimum} or more${unit}`;
}

function meaningOf(schema: ParameterSchema): string {
  const idle = Object.entries(schema.idleWhere ?? {}).map(
    ([name, values]) =>
      `Without effect where \`${name}\` is ${values.map((value) => (value === '' ? 'the default' : String(value))).join(' or ')}.`,
  );
  if (schema.kind !== 'choice') return [schema.help, ...idle].join(' ');
  const options = schema.options.filter(({ value }) => value !== '');
  return [schema.help, ...idle, ...options.map(({ value, help }) => `*${value}*: ${help}`)].join(' ');
}

/** A file of the tests as it would stand among the methods. */
function methodSource(file: string): string {
  return readFileSync(`${root}/${file}`, 'utf8').trim().replaceAll("'../../src/methods/", "'./");
}

/** As tests/methods/fixtures-suite.ts writes it. */
interface RunAgreement {
  readonly scores: number | null;
  readonly sets: number;
  readonly candidates: number;
  readonly inside: number;
  readonly others: Readonly<Record<string, number>>;
}

/** How far every run of a method, or of every method, is from its reference, on both backends. */
function agreementTable(of: string): string {
  const asked = methods.filter(({ id }) => of === '' || id === of);
  const rows = asked.flatMap(({ id }) => {
    const [cpu, webgpu] = ['cpu', 'webgpu'].map((backend) => agreementsOf(id, backend));
    return Object.entries(cpu!).map(([run, on]) => agreementRow(id, run, on, webgpu![run]));
  });
  const both = (what: string) => [`${what}, CPU`, 'WebGPU'];
  const head = [
    'method',
    'run',
    'sets',
    ...both('scores'),
    ...both('inside the band'),
    'others, CPU',
    'WebGPU',
  ];
  return table(head, rows);
}

/** Largest differences of random models from transformers, as tests/model/architectures.ts recorded them. */
function modelAgreementTable(): string {
  type OnBackend = { readonly logits: number; readonly hidden: number };
  const found: Record<string, Readonly<Record<'cpu' | 'webgpu', OnBackend>>> = JSON.parse(
    readFileSync(`${root}/tests/fixtures/agreement-of-models.json`, 'utf8'),
  );
  const rows = Object.entries(found).map(([name, { cpu, webgpu }]) => [
    `\`${name}\``,
    ...[cpu.logits, webgpu.logits, cpu.hidden, webgpu.hidden].map((value) => value.toExponential(0)),
  ]);
  return table(['model', 'logits, CPU', 'WebGPU', 'hidden states, CPU', 'WebGPU'], rows);
}

function agreementsOf(id: string, backend: string): Record<string, RunAgreement> {
  const file = `${root}/tests/fixtures/agreement/${id}.${backend}.json`;
  return existsSync(file) ? JSON.parse(readFileSync(file, 'utf8')) : {};
}

function agreementRow(
  id: string,
  run: string,
  cpu: RunAgreement,
  webgpu: RunAgreement | undefined,
): string[] {
  const each = (tell: (of: RunAgreement) => string): string[] =>
    [cpu, webgpu].map((of) => (of ? tell(of) : '–'));
  return [
    `\`${id}\``,
    run,
    String(cpu.sets),
    ...each(({ scores }) => (scores === null ? '–' : shortNumber(scores))),
    ...each(({ inside, candidates }) => (candidates === 0 ? '–' : `${inside} of ${candidates}`)),
    ...each(({ others }) =>
      Object.entries(others)
        .map(([what, difference]) => `${what} ${shortNumber(difference)}`)
        .join(', '),
    ),
  ];
}

/** Two digits. */
function shortNumber(value: number): string {
  return value === 0 ? '0' : value.toExponential(1);
}

function usage(name: string): string {
  const verb = verbs.find((candidate) => candidate.name === name);
  if (!verb) throw new Error(`no verb "${name}"`);
  return fenced('', verbHelp(verb).trimEnd());
}

function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]) =>
    `| ${cells.map((cell) => cell.replaceAll('|', '\\|')).join(' | ')} |`;
  return [line(head), `|${head.map(() => '---').join('|')}|`, ...rows.map(line)].join('\n');
}

function fenced(language: string, content: string): string {
  return `\`\`\`${language}\n${content}\n\`\`\``;
}
