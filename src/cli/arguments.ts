/** Reads the options of a verb; every mistake becomes one sentence. */
import { parseArgs } from 'node:util';
import type { BackendName } from '../../gpu/ops';
import { UserError } from '../user-error';
import { checkWritable } from './files';

export interface Arguments {
  has(name: string): boolean;
  /** The value of an option that must be there. */
  text(name: string): string;
  optional(name: string): string | undefined;
  /** The path of a file that can be written, checked before any work is done for it. */
  output(name: string): string;
  /** A whole number of at least `minimum`. */
  count(name: string, minimum: number): number;
  list(name: string): string[];
  /** Comma-separated numbers. */
  numbers(name: string): number[];
  json(name: string): unknown;
  backend(): 'auto' | BackendName;
  /** --memory, given in MiB: what buffers may take. Null: not given. */
  memoryBytes(): number | null;
}

/** Options every verb has. */
const COMMON = ['backend', 'memory'];

/** Parses `args`: `options` take a value, `flags` do not. Throws UserError for anything else. */
export function readArguments(
  verb: string,
  args: string[],
  options: readonly string[],
  flags: readonly string[] = [],
): Arguments {
  const known = [...options, ...COMMON];
  let values: Record<string, unknown>;
  try {
    ({ values } = parseArgs({
      args,
      strict: true,
      allowPositionals: false,
      options: Object.fromEntries([
        ...known.map((name) => [name, { type: 'string' as const }]),
        ...flags.map((name) => [name, { type: 'boolean' as const }]),
      ]),
    }));
  } catch {
    const all = [...known, ...flags].map((name) => `--${name}`).join(', ');
    const wrong = args.find(
      (arg) => arg.startsWith('--') && ![...known, ...flags].includes(arg.slice(2).split('=')[0]),
    );
    if (wrong) throw new UserError(`${verb} has no option ${wrong.split('=')[0]}; it has ${all}.`);
    const bare = args.find(
      (arg, i) => known.includes(arg.slice(2)) && (args[i + 1] === undefined || args[i + 1].startsWith('-')),
    );
    if (bare) throw new UserError(`${verb}: ${bare} needs a value after it.`);
    throw new UserError(`${verb} could not read its options; it has ${all}.`);
  }
  const optional = (name: string): string | undefined => values[name] as string | undefined;
  const text = (name: string): string => {
    const value = optional(name);
    if (value === undefined || value === '')
      throw new UserError(`${verb} needs --${name}; see "keyhole help".`);
    return value;
  };
  const list = (name: string): string[] => {
    const parts = text(name)
      .split(',')
      .map((part) => part.trim())
      .filter((part) => part !== '');
    if (parts.length === 0)
      throw new UserError(`--${name} needs at least one value; put commas between several.`);
    return parts;
  };
  const count = (name: string, minimum: number): number => {
    const value = Number(text(name));
    if (Number.isInteger(value) && value >= minimum) return value;
    throw new UserError(`--${name} must be a whole number of at least ${minimum}, not "${text(name)}".`);
  };
  return {
    has: (name) => values[name] !== undefined,
    text,
    optional,
    output(name) {
      const path = text(name);
      checkWritable(path);
      return path;
    },
    count,
    list,
    numbers(name) {
      return list(name).map((part) => {
        const value = Number(part);
        if (Number.isFinite(value)) return value;
        throw new UserError(`--${name} must be numbers with commas between, and "${part}" is none.`);
      });
    },
    json(name) {
      try {
        return JSON.parse(text(name));
      } catch (error) {
        if (error instanceof UserError) throw error;
        throw new UserError(
          `--${name} is not valid JSON (${(error as Error).message}); quote it for the shell.`,
        );
      }
    },
    backend() {
      const value = optional('backend') ?? 'auto';
      if (value === 'auto' || value === 'cpu' || value === 'webgpu') return value;
      throw new UserError(`--backend must be auto, cpu or webgpu, not "${value}".`);
    },
    memoryBytes: () => (optional('memory') === undefined ? null : count('memory', 1) * 2 ** 20),
  };
}
