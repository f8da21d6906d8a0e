/**
 * What fuzzers share: how many inputs, their seed, what an outcome may be, and the mutations of JSON. `npm test` runs a sample of
 * each; `npm run fuzz` sets KEYHOLE_FUZZ_INPUTS and reads the reports.
 */
import { appendFileSync } from 'node:fs';
import fc from 'fast-check';
import { isUserError } from '../../src/base/user-error';

const SAMPLE = 150;

const inputs = Number(process.env.KEYHOLE_FUZZ_INPUTS ?? SAMPLE);
const seed = Number(process.env.KEYHOLE_FUZZ_SEED ?? 20_250_220);

/** Settings of `fc.assert`: the same inputs every time. */
export const settings = { numRuns: inputs, seed, interruptAfterTimeLimit: undefined } as const;

/** Longest sentence that a page can show: names inside it are shortened. */
const LONGEST_SENTENCE = 700;

/** Counts what came of the inputs of one fuzzer. */
export class Outcomes {
  #accepted = 0;
  #refused = 0;
  #slowestMilliseconds = 0;
  readonly #name: string;

  constructor(name: string) {
    this.#name = name;
  }

  /** Runs one input: what it gives, or null where it was refused in one sentence. Throws for every other error. */
  async of<T>(work: () => T | Promise<T>): Promise<T | null> {
    const start = performance.now();
    try {
      const value = await work();
      this.#accepted++;
      return value;
    } catch (error) {
      if (!isUserError(error)) throw error;
      if (!/^\S.*[.?!]$/u.test(error.message) || error.message.length > LONGEST_SENTENCE)
        throw new Error(`not one sentence: ${error.message}`);
      this.#refused++;
      return null;
    } finally {
      this.#slowestMilliseconds = Math.max(this.#slowestMilliseconds, performance.now() - start);
    }
  }

  /** Both kinds were met, else the fuzzer shows nothing; and the line for `npm run fuzz`. */
  end({ canRefuse = true } = {}): void {
    const name = this.#name;
    const accepted = this.#accepted;
    const refused = this.#refused;
    const report = process.env.KEYHOLE_FUZZ_REPORT;
    const slowest = Math.round(this.#slowestMilliseconds);
    if (report) appendFileSync(report, `${JSON.stringify({ name, accepted, refused, slowest })}\n`);
    if (accepted === 0 || (canRefuse && refused === 0))
      throw new Error(
        `${name}: ${accepted} inputs accepted, ${refused} refused: the inputs are too much alike`,
      );
  }
}

const deep = (depth: number): unknown => {
  let value: unknown = [];
  for (let i = 0; i < depth; i++) value = i % 2 === 0 ? [value] : { a: value };
  return value;
};

/** Values that stand where others are expected. */
export const oddValue: fc.Arbitrary<unknown> = fc.oneof(
  fc.constantFrom<unknown>(
    null,
    true,
    false,
    0,
    -0,
    1,
    -1,
    2,
    0.5,
    1e-300,
    1e308,
    2 ** 31,
    2 ** 32,
    2 ** 53,
    -(2 ** 53),
    '',
    ' ',
    'a',
    '1',
    'NaN',
    '__proto__',
    'constructor',
    'toString',
    '\u0000',
    '\u202Eabc',
    '\ud800',
    'é',
    '😀',
    [],
    {},
    [[]],
    [null],
    { a: 1 },
  ),
  fc.integer(),
  fc.double({ noNaN: true, noDefaultInfinity: true }),
  fc.string({ maxLength: 30 }),
  fc.integer({ min: 1, max: 400 }).map(deep),
  fc.integer({ min: 1, max: 4000 }).map((length) => 'x'.repeat(length)),
  fc.array(fc.integer({ min: -2, max: 9 }), { maxLength: 6 }),
);

interface Mutation {
  readonly steps: readonly number[];
  readonly kind: 'replace' | 'remove' | 'add' | 'double' | 'scale';
  readonly value: unknown;
  readonly name: string;
}

/** Changes of a JSON value; `values` are tried more often than odd ones. */
export function mutations(
  values: readonly unknown[] = [],
  names: readonly string[] = [],
): fc.Arbitrary<Mutation[]> {
  const value = values.length > 0 ? fc.oneof(oddValue, fc.constantFrom(...values)) : oddValue;
  const name = fc.oneof(fc.constantFrom('__proto__', '', 'type', ...names), fc.string({ maxLength: 8 }));
  const kind = fc.constantFrom('replace', 'replace', 'replace', 'remove', 'add', 'double', 'scale');
  const steps = fc.array(fc.nat(1000), { minLength: 1, maxLength: 6 });
  return fc.array(fc.record({ steps, kind, value, name }), { minLength: 1, maxLength: 3 }) as never;
}

/** `base`, a JSON value, with the changes made one after the other. */
export function mutate(base: unknown, changes: readonly Mutation[]): unknown {
  let root = structuredClone(base);
  for (const change of changes) root = mutateOnce(root, structuredClone(change));
  return root;
}

function mutateOnce(root: unknown, { steps, kind, value, name }: Mutation): unknown {
  let holder: Record<string, unknown> | null = null;
  let key = '';
  let at: unknown = root;
  for (const step of steps) {
    if (typeof at !== 'object' || at === null) break;
    const keys = Object.keys(at);
    if (keys.length === 0) break;
    holder = at as Record<string, unknown>;
    key = keys[step % keys.length]!;
    at = holder[key];
  }
  if (!holder) return kind === 'replace' ? value : root;
  if (kind === 'remove') {
    if (Array.isArray(holder)) holder.splice(Number(key), 1);
    else delete holder[key];
  } else if (kind === 'add') {
    Object.defineProperty(holder, Array.isArray(holder) ? holder.length : name, {
      value,
      enumerable: true,
      configurable: true,
      writable: true,
    });
  } else if (kind === 'double' && Array.isArray(at)) holder[key] = [...at, ...at];
  else if (kind === 'scale' && typeof at === 'number') holder[key] = at * 2 + 1;
  else holder[key] = value;
  return root;
}

/** Bytes with some of them changed, removed or added. */
export function mutateBytes(
  bytes: Uint8Array,
  changes: readonly (readonly [at: number, byte: number, kind: number])[],
): Uint8Array {
  let out = Uint8Array.from(bytes);
  for (const [place, byte, kind] of changes) {
    const at = Math.floor(place * out.length);
    if (kind === 0) out = Uint8Array.from([...out.subarray(0, at), ...out.subarray(at + 1)]);
    else if (kind === 1) out = Uint8Array.from([...out.subarray(0, at), byte, ...out.subarray(at)]);
    else if (kind === 2) out = out.slice(0, at);
    else if (out.length > 0) out[at] = byte;
  }
  return out;
}

export const byteChanges = fc.array(
  fc.tuple(
    fc.double({ min: 0, max: 0.999999, noNaN: true }),
    fc.integer({ min: 0, max: 255 }),
    fc.integer({ min: 0, max: 12 }),
  ),
  { minLength: 1, maxLength: 4 },
);

/** Whether every number inside plain data is finite; typed arrays included. */
export function allFinite(value: unknown): boolean {
  if (typeof value === 'number') return Number.isFinite(value);
  if (value instanceof Float32Array || value instanceof Float64Array) return value.every(Number.isFinite);
  if (typeof value !== 'object' || value === null) return true;
  return Object.values(value).every(allFinite);
}
