/** Kinds of values in a link, read and written. Readers throw UserError with a clause: "must be …". */

import { fingerprint } from '../../base/fingerprint';
import { quote } from '../../base/quote';
import { isUserError, UserError } from '../../base/user-error';
import type { Method } from '../../methods/method';
import type { MethodSpec } from '../../methods/method-spec';
import {
  brokenRule,
  INJECTED,
  isGivenOnly,
  isTable,
  optionWritten,
  type ParameterContext,
  type ParameterSchema,
  type Parameters,
  type ParameterValue,
} from '../../methods/parameters';
import type { FindMethod } from '../../study/default-study';
import type { SourceSpec } from '../../study/spec';
import type { MapRegion } from '../../tiles/grid';
import { fillParameters } from '../dependent-defaults';
import { MOST_PINNED } from '../limits';

/** What a reader has to know of the page it reads for. */
export interface LinkEnvironment {
  readonly version: string;
  readonly findMethod: FindMethod;
  readonly methodIds: readonly string[];
  readonly taskIds: readonly string[];
  readonly sampleIds: readonly string[];
  contextOf(source: SourceSpec): ParameterContext;
}

/** One kind of value, both ways. */
export interface ValueCodec<Value> {
  read(text: string, page: LinkEnvironment): Value | Promise<Value>;
  write(value: Value): string | Promise<string>;
}

export const whole = (least: number, most: number): ValueCodec<number> => ({
  read(text) {
    const value = /^\d{1,15}$/.test(text) ? Number(text) : Number.NaN;
    if (value >= least && value <= most) return value;
    throw new UserError(`must be a whole number from ${least} to ${most}`);
  },
  write: String,
});

export const oneOf = <Word extends string>(
  words: readonly Word[] | ((page: LinkEnvironment) => readonly Word[]),
): ValueCodec<Word> => ({
  read(text, page) {
    const all = typeof words === 'function' ? words(page) : words;
    const found = all.find((word) => word === text);
    if (found === undefined) throw new UserError(`must be one of ${all.join(', ')}`);
    return found;
  },
  write: String,
});

export const flag: ValueCodec<boolean> = {
  read(text) {
    if (text === '1' || text === '0') return text === '1';
    throw new UserError('must be one of 1, 0');
  },
  write: (value) => (value ? '1' : '0'),
};

/** Of a whole: 0 … 1. `orElse`: the words that may stand there instead. */
export const part = <Word extends string = never>(...orElse: readonly Word[]): ValueCodec<number | Word> => ({
  read(text) {
    const word = orElse.find((each) => each === text);
    if (word !== undefined) return word;
    const value = readNumber(text);
    if (value !== null && value >= 0 && value <= 1) return value;
    throw new UserError(`must be ${orElse.map((each) => `${each} or `).join('')}a number from 0 to 1`);
  },
  write: String,
});

/** rowStart-rowEnd-columnStart-columnEnd, ends excluded. */
export const zoom: ValueCodec<MapRegion> = {
  read(text) {
    const parts = /^(\d{1,9})-(\d{1,9})-(\d{1,9})-(\d{1,9})$/.exec(text);
    const [rowStart, rowEnd, columnStart, columnEnd] = (parts ?? []).slice(1).map(Number);
    if (rowEnd === undefined || columnEnd === undefined || rowStart! >= rowEnd || columnStart! >= columnEnd) {
      throw new UserError('must be four tokens: first and last row, first and last column, as in 0-64-0-64');
    }
    return { rowStart: rowStart!, rowEnd, columnStart: columnStart!, columnEnd };
  },
  write: ({ rowStart, rowEnd, columnStart, columnEnd }) =>
    [rowStart, rowEnd, columnStart, columnEnd].join('-'),
};

/** One number, one number per layer joined by "_", or a word; null: a table, which no link carries. */
function writeParameter(value: ParameterValue): string | null {
  // What only `--params` can give.
  if (isTable(value) || value === '' || value === INJECTED) return null;
  return typeof value === 'object' ? value.join('_') : String(value);
}

/**
 * Checks every value alone. Upper limits may depend on the text, which a link reader does not know yet: the controls say when a
 * value is too large, and keep it. `layers` null: of a model that is not loaded, so that any number of values will do.
 */
export function readParameter(schema: ParameterSchema, text: string, layers: number | null): ParameterValue {
  if (schema.kind === 'table' || isGivenOnly(schema))
    throw new UserError('must be given by --params on the command line');
  const values = schema.kind === 'choice' ? [optionWritten(schema, text)] : text.split('_').map(readNumber);
  for (const value of values) {
    const rule = brokenRule(schema, value, null);
    if (rule !== null) throw new UserError(rule);
  }
  if (values.length === 1) return values[0]!;
  if (layers === null || values.length === layers) return values as number[];
  throw new UserError(`must be one number, or ${layers} joined by "_", one per layer`);
}

function readNumber(text: string): number | null {
  return /^-?\d+(\.\d+)?(e[+-]?\d+)?$/i.test(text) && Number.isFinite(Number(text)) ? Number(text) : null;
}

/** oracle(keepFraction:0.25);random(keepFraction:0.25,seed:1), and "none" for no pinned method. */
export function writePinned(pinned: readonly MethodSpec[]): string {
  if (pinned.length === 0) return 'none';
  return pinned.map(({ id, parameters }) => `${id}(${writeParameters(parameters)})`).join(';');
}

function writeParameters(parameters: Parameters): string {
  return writtenParameters(parameters)
    .map(([name, value]) => `${name}:${value}`)
    .join(',');
}

/** Names and values of all parameters that a link carries. */
export function writtenParameters(parameters: Parameters): [name: string, value: string][] {
  return Object.entries(parameters).flatMap(([name, value]): [string, string][] => {
    const written = writeParameter(value);
    return written === null ? [] : [[name, written]];
  });
}

export interface PinnedReading {
  readonly pinned: readonly MethodSpec[];
  /** Those of `pinned` whose `keepFraction` the link itself names. */
  readonly withFraction: readonly MethodSpec[];
  /** One sentence for each kind of thing that was left out. */
  readonly notices: readonly string[];
}

/** Each entry is read on its own: a bad one costs itself. Throws UserError where none is good. */
export function readPinned(
  text: string,
  find: FindMethod,
  context: ParameterContext,
  layers: number | null,
): PinnedReading {
  if (text === 'none') return { pinned: [], withFraction: [], notices: [] };
  const pinned = new Map<string, MethodSpec>();
  const withFraction: MethodSpec[] = [];
  const notices: string[] = [];
  const entries = text.split(';');
  let [doubles, bad, read] = [0, 0, 0];
  for (const entry of entries) {
    if (pinned.size === MOST_PINNED || read === MOST_PINNED * 4) break;
    read += 1;
    try {
      const { spec, names } = readPinnedEntry(entry, find, context, layers);
      const key = fingerprint(spec);
      if (pinned.has(key)) doubles += 1;
      else {
        pinned.set(key, spec);
        if (names.includes('keepFraction')) withFraction.push(spec);
      }
    } catch (error) {
      if (!isUserError(error)) throw error;
      bad += 1;
      if (bad === 1) notices.push(`"pin" in the link: ${error.message}; it was left out.`);
    }
  }
  if (pinned.size === 0) throw new UserError(notices[0] ?? 'must be pinned methods');
  if (bad > 1) notices.push(`${bad - 1} more of the link's pinned methods cannot be read and were left out.`);
  if (doubles > 0) notices.push('The link pins a method twice with the same parameters; it is shown once.');
  if (read < entries.length) {
    notices.push(
      `The link pins ${entries.length} methods; ${pinned.size} are shown, and ${MOST_PINNED} are the most.`,
    );
  }
  return { pinned: [...pinned.values()], withFraction, notices };
}

function readPinnedEntry(
  entry: string,
  find: FindMethod,
  context: ParameterContext,
  layers: number | null,
): { spec: MethodSpec; names: string[] } {
  const parts = /^([a-z0-9-]+)\(([^()]*)\)$/.exec(entry);
  if (!parts) {
    throw new UserError(`${quote(entry, 40)} must be a method, as in oracle(keepFraction:0.25)`);
  }
  const method = find(parts[1]!);
  if (!method) throw new UserError(`${quote(parts[1]!, 40)} is no method that this version knows`);
  const given = parts[2] === '' ? [] : parts[2]!.split(',').map((pair) => readPair(pair, method, layers));
  const parameters = fillParameters(method, Object.fromEntries(given), context);
  return { spec: { id: method.id, parameters }, names: given.map(([name]) => name) };
}

function readPair(pair: string, method: Method, layers: number | null): [string, ParameterValue] {
  const [name = '', value = ''] = pair.split(':');
  if (!Object.hasOwn(method.parameters, name)) {
    const names = Object.keys(method.parameters).join(', ');
    throw new UserError(
      `${method.id} has no parameter ${quote(name, 40)} (it has ${names === '' ? 'none' : names})`,
    );
  }
  try {
    return [name, readParameter(method.parameters[name]!, value, layers)];
  } catch (error) {
    if (!isUserError(error)) throw error;
    throw new UserError(`${name} of ${method.id} ${error.message}, not ${quote(value, 40)}`);
  }
}
