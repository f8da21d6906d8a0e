import { quote } from '../../base/quote';
import { UserError } from '../../base/user-error';
import type { GgufTensor, GgufValue } from './header';

/** The metadata of a file, each value checked as it is asked for. Null stands for what is not there. */
export class GgufSettings {
  readonly #metadata: ReadonlyMap<string, GgufValue>;
  readonly #tensors: ReadonlyMap<string, GgufTensor>;
  readonly file: string;

  constructor(
    metadata: ReadonlyMap<string, GgufValue>,
    tensors: ReadonlyMap<string, GgufTensor>,
    file: string,
  ) {
    this.#metadata = metadata;
    this.#tensors = tensors;
    this.file = file;
  }

  /** UserError; `what` completes "FILE …". */
  refuse(what: string): never {
    throw new UserError(`${this.file} ${what}.`);
  }

  /** `llama`: settings of a model begin with it. */
  get architecture(): string {
    return this.text('general.architecture') ?? this.refuse('names no architecture (general.architecture)');
  }

  tensorShape(name: string): readonly number[] | null {
    return this.#tensors.get(name)?.shape ?? null;
  }

  /** A setting of the model: `block_count` is `llama.block_count`. */
  optional(name: string): number | null {
    return this.number(`${this.architecture}.${name}`);
  }

  needed(name: string): number {
    const value = this.optional(name);
    return value ?? this.refuse(`lacks ${this.architecture}.${name}: it is no whole model, or damaged`);
  }

  /** A number; also where a list has one for each layer and all are equal. */
  number(key: string): number | null {
    const value = this.#metadata.get(key);
    if (value === undefined || typeof value === 'number') return value ?? null;
    if (!isNumbers(value)) return this.refuse(`has ${quote(key)} where a number is needed`);
    const each = new Set(Array.from(value));
    if (each.size === 1) return value[0]!;
    return this.refuse(`has layers that differ in ${key}, which is not supported`);
  }

  text(key: string): string | null {
    return this.#typed(key, 'text', (value): value is string => typeof value === 'string');
  }

  truth(key: string): boolean | null {
    return this.#typed(key, 'true or false', (value): value is boolean => typeof value === 'boolean');
  }

  texts(key: string): readonly string[] | null {
    return this.#typed(
      key,
      'a list of texts',
      (value): value is readonly string[] =>
        Array.isArray(value) && (value.length === 0 || typeof value[0] === 'string'),
    );
  }

  numbers(key: string): ArrayLike<number> | null {
    return this.#typed(key, 'a list of numbers', isNumbers);
  }

  #typed<T extends GgufValue>(key: string, what: string, is: (value: GgufValue) => value is T): T | null {
    const value = this.#metadata.get(key);
    if (value === undefined) return null;
    return is(value) ? value : this.refuse(`has something else than ${what} as ${key}: it is damaged`);
  }
}

function isNumbers(value: GgufValue): value is ArrayLike<number> {
  return value instanceof Float64Array;
}
