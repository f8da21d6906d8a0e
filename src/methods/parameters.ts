/**
 * Parameter schemas: one description per parameter makes its control on the page, its key in the link, and the
 * validation of `--params`. Values are plain JSON; every count may also be an array with one number per layer.
 */
import { shorten } from '../base/quote';
import { UserError } from '../base/user-error';

/** What defaults and limits may depend on. `trainedTokens` is null for captures that do not say. */
export interface ParameterContext {
  readonly tokens: number;
  readonly trainedTokens: number | null;
  readonly layers: number;
  readonly queryHeads: number;
  readonly keyValueHeads: number;
  readonly headDimension: number;
}

/**
 * A default value. `resolved` holds the parameters before it in the schema, for defaults that follow another parameter.
 */
type Default<Value> = (context: ParameterContext, resolved: Parameters) => Value;

interface Described {
  /** Name on the page, e.g. "Selected tokens". */
  readonly label: string;
  /** The paper's symbol, e.g. "k". */
  readonly symbol?: string;
  /** One sentence for the tooltip; gives the paper's own name where it differs from ours. */
  readonly help: string;
  /** Values of other parameters under any of which this one changes nothing. */
  readonly idleWhere?: Readonly<Record<string, readonly (string | number | boolean)[]>>;
  /** How the default follows from text, model and other parameters, for the docs; needed where it is not always the same. */
  readonly defaultRule?: string;
}

/** A whole number on a log scale; a number or one per layer. */
export interface CountParameter extends Described {
  readonly kind: 'count';
  /** Layers cannot differ in it: one number, or the same for each. */
  readonly isSameInAllLayers?: true;
  /** A width that needs a middle: its slider stops on odd numbers, and on 0 where that is allowed, and the method refuses others where it uses them. */
  readonly isOdd?: true;
  readonly unit: string;
  readonly minimum: number;
  readonly maximum: (context: ParameterContext) => number;
  readonly default: Default<number | readonly number[]>;
  /** The value in the paper or its authors' code, for the preset that has it. */
  readonly paper?: number;
}

/** A real number within [minimum, maximum], shown as a percentage when unit is "%"; a number or one per layer. */
export interface FractionParameter extends Described {
  readonly kind: 'fraction';
  readonly minimum: number;
  readonly maximum: number;
  readonly default: Default<number | readonly number[]>;
  readonly unit: '%' | '';
  readonly paper?: number;
}

export interface ChoiceParameter extends Described {
  readonly kind: 'choice';
  /** Values are words, or true and false. */
  readonly options: readonly {
    readonly value: string | boolean;
    readonly label: string;
    readonly help: string;
  }[];
  readonly default: Default<string | boolean>;
  readonly paper?: string | boolean;
  /**
   * Whether something is taken from the capture (`INJECTED`) or made here, which is the empty word and the default. It comes by
   * `--params` alone: no control shows it, no link carries it.
   */
  readonly isGivenOnly?: true;
}

/** What a choice is called that takes what the capture brings. */
export const INJECTED = 'injected';

/** Whether a value comes by `--params` alone. */
export function isGivenOnly(schema: ParameterSchema): boolean {
  return schema.kind === 'table' || (schema.kind === 'choice' && schema.isGivenOnly === true);
}

/**
 * Rows of numbers that were computed elsewhere, such as a score for each head. They come by `--params` alone: no control shows them, no
 * link carries them. Without rows: none are given.
 */
interface TableParameter extends Described {
  readonly kind: 'table';
  /** What one number is. */
  readonly unit: string;
  readonly isWhole?: true;
  readonly minimum: number;
  readonly maximum: number;
  /** What rows are and what stands in them, in the singular. */
  readonly row: string;
  readonly column: string;
  /** How many rows, and numbers in each; null: any number. */
  readonly shape: (context: ParameterContext) => {
    readonly rows: number | null;
    readonly columns: number | null;
  };
  /** Other spellings as rows; null: it is none. */
  readonly rowsOf?: (value: unknown) => NumberTable | null;
  readonly default: Default<NumberTable>;
  readonly paper?: undefined;
}

export type ParameterSchema = CountParameter | FractionParameter | ChoiceParameter | TableParameter;
export type ParameterSchemas = Readonly<Record<string, ParameterSchema>>;
export type NumberTable = readonly (readonly number[])[];
export type ParameterValue = number | readonly number[] | string | boolean | NumberTable;
export type Parameters = Readonly<Record<string, ParameterValue>>;

/** What parameters are checked by; a method is one. */
export interface Parametrised {
  readonly id: string;
  readonly parameters: ParameterSchemas;
  /** Checks that need several parameters at once; throws UserError. */
  validate?(parameters: Parameters, context: ParameterContext): void;
}

/**
 * All parameters with defaults filled in, every value checked and all of them together: the one place where parameters are checked.
 * Throws UserError with one sentence.
 */
export function resolveParameters(
  method: Parametrised,
  given: Readonly<Record<string, unknown>>,
  context: ParameterContext,
): Parameters {
  const resolved = completeParameters(method, given, context);
  method.validate?.(resolved, context);
  return resolved;
}

/** The same, every value checked alone: what a person may enter, though it does not go with the others. */
export function completeParameters(
  method: Parametrised,
  given: Readonly<Record<string, unknown>>,
  context: ParameterContext,
): Parameters {
  const resolved: Record<string, ParameterValue> = {};
  for (const name of Object.keys(given)) checkName(method, name);
  for (const [name, schema] of Object.entries(method.parameters)) {
    const value = given[name];
    resolved[name] =
      value === undefined
        ? schema.default(context, resolved)
        : checkValue(method.id, name, schema, value, context);
  }
  return resolved;
}

/** Checks one value alone, as `resolveParameters` does. */
export function checkParameter(
  method: Parametrised,
  name: string,
  value: unknown,
  context: ParameterContext,
): void {
  checkValue(method.id, name, checkName(method, name), value, context);
}

function checkName({ id, parameters }: Parametrised, name: string): ParameterSchema {
  if (Object.hasOwn(parameters, name)) return parameters[name]!;
  const known = Object.keys(parameters).join(', ') || 'none';
  throw new UserError(`${id} has no parameter "${name}"; it has: ${known}.`);
}

/** Why a parameter changes nothing as the others stand, in every layer: the one that makes it so. Null: it changes something. */
export function idleBy(schemas: ParameterSchemas, name: string, parameters: Parameters): string | null {
  for (const [other, values] of Object.entries(schemas[name]?.idleWhere ?? {})) {
    const own = [parameters[other]].flat();
    if (!own.every((value) => values.some((each) => each === value))) continue;
    const { label, ...schema } = schemas[other]!;
    const option = schema.kind === 'choice' && schema.options.find(({ value }) => value === own[0]);
    const percent = schema.kind === 'fraction' && schema.unit === '%';
    return `${label} is ${option ? option.label : percent ? `${100 * Number(own[0])} %` : own[0]}`;
  }
  return null;
}

/** The value of a numeric parameter in one layer. */
export function numberIn(parameters: Parameters, name: string, layer: number): number {
  const value = parameters[name];
  if (typeof value === 'number') return value;
  if (Array.isArray(value) && typeof value[layer] === 'number') return value[layer];
  throw new Error(`parameter ${name} has no number for layer ${layer}`);
}

/** A choice parameter's value. */
export function choiceOf(parameters: Parameters, name: string): string {
  const value = parameters[name];
  if (typeof value !== 'string') throw new Error(`parameter ${name} is no choice`);
  return value;
}

/** The value of a choice between true and false. */
export function isOn(parameters: Parameters, name: string): boolean {
  const value = parameters[name];
  if (typeof value !== 'boolean') throw new Error(`parameter ${name} is not true or false`);
  return value;
}

/** A table's rows; null: none were given. */
export function tableOf(parameters: Parameters, name: string): NumberTable | null {
  const value = parameters[name];
  if (!isTable(value)) throw new Error(`parameter ${name} is no table`);
  return value.length > 0 ? value : null;
}

/** Whether a value is of a table: a list of lists, or an empty one, for numbers by layer are never none. */
export function isTable(value: unknown): value is NumberTable {
  return Array.isArray(value) && value.every((row) => Array.isArray(row));
}

/** The tables among the parameters that are given, which nothing but a file or `--params` can bring. */
export function givenTables(parameters: Parameters): Parameters {
  const tables = Object.entries(parameters).filter(([, value]) => isTable(value) && value.length > 0);
  return Object.fromEntries(tables);
}

/** The option that is written so, as a control or a link writes it; the text itself where there is none. */
export function optionWritten({ options }: ChoiceParameter, text: string): string | boolean {
  return options.find(({ value }) => String(value) === text)?.value ?? text;
}

/**
 * The rule that one value breaks, as a clause ("must be a whole number from 1 to 64"); null: it breaks none. `context` null: of a
 * text that is not known yet, so that limits which depend on it hold nobody back.
 */
export function brokenRule(
  schema: ParameterSchema,
  value: unknown,
  context: ParameterContext | null,
): string | null {
  if (schema.kind === 'choice') {
    const values = schema.options.map((option) => option.value);
    return values.some((each) => each === value) ? null : `must be one of ${values.join(', ')}`;
  }
  if (schema.kind === 'table') return brokenTableRule(schema, value, context);
  const isCount = schema.kind === 'count';
  const maximum = isCount ? context && schema.maximum(context) : schema.maximum;
  const isRight = isCount ? Number.isSafeInteger(value) : Number.isFinite(value);
  const number = value as number;
  if (isRight && number >= schema.minimum && number <= (maximum ?? number)) return null;
  const range = `${schema.minimum}${maximum === null ? '' : ` to ${maximum}`}`;
  return `must be ${isCount ? 'a whole number' : 'a number'} from ${range}`;
}

function brokenTableRule(
  { row, column, isWhole, minimum, maximum, shape }: TableParameter,
  value: unknown,
  context: ParameterContext | null,
): string | null {
  if (!isTable(value)) return `must be a list with a list of numbers for each ${row}`;
  if (value.length === 0) return null;
  const { rows, columns } = context ? shape(context) : { rows: null, columns: null };
  if (rows !== null && value.length !== rows) return `must have ${rows} rows, one for each ${row}`;
  for (const [at, numbers] of value.entries()) {
    if (numbers.length === 0 || (columns !== null && numbers.length !== columns))
      return `must have ${columns === null ? 'numbers' : `${columns} numbers`} in row ${at}, one for each ${column}`;
    const isRight = isWhole ? Number.isSafeInteger : Number.isFinite;
    if (numbers.some((each) => !isRight(each) || each < minimum || each > maximum))
      return `must hold ${isWhole ? 'whole numbers' : 'numbers'} from ${minimum} to ${maximum} in row ${at}`;
  }
  return null;
}

function checkValue(
  methodId: string,
  name: string,
  schema: ParameterSchema,
  given: unknown,
  context: ParameterContext,
): ParameterValue {
  const value = (schema.kind === 'table' ? schema.rowsOf?.(given) : null) ?? given;
  const isNumber = schema.kind === 'count' || schema.kind === 'fraction';
  const list: readonly unknown[] | null = isNumber && Array.isArray(value) ? value : null;
  if (list && list.length !== context.layers) {
    throw new UserError(
      `${methodId}: ${name} has ${list.length} values for ${context.layers} layers; give one number or one per layer.`,
    );
  }
  if (list && schema.kind === 'count' && schema.isSameInAllLayers && new Set(list).size > 1) {
    throw new UserError(`${methodId}: ${name} must be the same in every layer; give one number.`);
  }
  for (const each of list ?? [value]) {
    const rule = brokenRule(schema, each, context);
    if (rule !== null)
      throw new UserError(`${methodId}: ${name} ${rule}, not ${shorten(JSON.stringify(each), 60)}.`);
  }
  return list ? [...(list as number[])] : (value as ParameterValue);
}
