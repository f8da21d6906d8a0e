import { quote } from '../../base/quote';
import { UserError } from '../../base/user-error';

/** One part of tokenizer.json: an object whose `type` says what it is. */
export type Settings = Readonly<Record<string, unknown>>;

export function isSettings(value: unknown): value is Settings {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/**
 * Refuses a setting that is not known to give the ids of the reference implementation (Python's `tokenizers`).
 * `what` completes "tokenizer.json has …".
 */
export function refuse(what: string): never {
  throw new UserError(`tokenizer.json has ${what}, which this program cannot follow as the reference does.`);
}

/** For a setting that no tokenizer can have. `what` completes "tokenizer.json is damaged: …". */
export function damaged(what: string): never {
  throw new UserError(`tokenizer.json is damaged: ${what}.`);
}

/** The type of a part, quoted, or what stands there instead. */
export function typeName(part: unknown): string {
  const type = isSettings(part) ? part.type : undefined;
  return typeof type === 'string' ? quote(type, 40) : 'without a type';
}

/** A setting that is true or false, `usual` where the file has none. */
export function truthOf(settings: Settings, name: string, usual: boolean): boolean {
  const value = settings[name] ?? usual;
  if (typeof value === 'boolean') return value;
  return damaged(`${name} of ${typeName(settings)} must be true or false`);
}

/** A setting that is text, `usual` where the file has none. */
export function textOf(settings: Settings, name: string, usual?: string): string {
  const value = settings[name] ?? usual;
  if (typeof value === 'string') return value;
  return damaged(`${name} of ${typeName(settings)} must be text`);
}

/** The parts of a sequence. */
export function partsOf(settings: Settings, name: string): readonly unknown[] {
  const parts = settings[name];
  return Array.isArray(parts) ? parts : damaged(`${name} of ${typeName(settings)} must be a list`);
}

/** White space and word characters as Rust's `regex` and `char` have them; those of JavaScript differ (U+0085, U+FEFF). */
export const SPACE_CLASS = '\\p{White_Space}';
export const WORD_CLASS = '\\p{Alphabetic}\\p{M}\\p{Nd}\\p{Pc}\\p{Join_Control}';
