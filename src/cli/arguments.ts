/** Reads the options of a verb; every mistake becomes one sentence. */
import type { BackendName } from '../../gpu/ops';
import { UserError } from '../base/user-error';
import { commonOptions, nearestName, type OptionEntry, verbEntry } from './options';
import { checkOutput } from './output';

export interface Arguments {
  has(name: string): boolean;
  /** The value of an option that must be there. */
  text(name: string): string;
  optional(name: string): string | undefined;
  /**
   * The path that --out names, checked before any work is done for it: a file that can be written, and none that the command
   * reads. `further`: files and model folders that it reads beside those which its options name.
   */
  output(further?: { readonly files?: readonly string[]; readonly folders?: readonly string[] }): string;
  /** A whole number from `minimum` to `maximum`. */
  count(name: string, minimum: number, maximum?: number): number;
  list(name: string): string[];
  /** Comma-separated numbers. */
  numbers(name: string): number[];
  json(name: string): unknown;
  backend(): 'auto' | BackendName;
  /** --memory, given in MiB: what buffers may take. Null: not given. */
  memoryBytes(): number | null;
}

/** Options whose value is a file that is read. */
const READ_FILES = ['text', 'ids-file', 'capture', 'kept', 'examples'];

/** Parses `args` by the table of options. Throws UserError for anything that the verb does not have. */
export function readArguments(verb: string, args: readonly string[]): Arguments {
  const values = parse(verb, args, [...verbEntry(verb).options, ...commonOptions]);
  const optional = (name: string): string | undefined => values.get(name);
  const text = (name: string): string => {
    const value = optional(name);
    if (value === undefined || value === '')
      throw new UserError(`${verb} needs --${name}; see "keyhole help ${verb}".`);
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
  const count = (name: string, minimum: number, maximum = Number.MAX_SAFE_INTEGER): number => {
    const value = Number(text(name));
    if (Number.isSafeInteger(value) && value >= minimum && value <= maximum) return value;
    const range =
      maximum < Number.MAX_SAFE_INTEGER ? `from ${minimum} to ${maximum}` : `of at least ${minimum}`;
    throw new UserError(`--${name} must be a whole number ${range}, not "${text(name)}".`);
  };
  return {
    has: (name) => values.has(name),
    text,
    optional,
    output({ files = [], folders = [] } = {}) {
      const path = text('out');
      const given = READ_FILES.flatMap((name) => optional(name) || []);
      checkOutput(path, {
        files: [...given, ...files],
        folders: [...(optional('model') ? [text('model')] : []), ...folders],
      });
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

/** Values by option name, '' for one that takes none; of an option given twice, the last. */
function parse(verb: string, args: readonly string[], options: readonly OptionEntry[]): Map<string, string> {
  const shown = options.filter(({ isInternal }) => !isInternal).map(({ name }) => name);
  const all = shown.map((name) => `--${name}`).join(', ');
  const values = new Map<string, string>();
  for (let i = 0; i < args.length; i++) {
    const match = /^--?([^=]+)(?:=(.*))?$/s.exec(args[i]!);
    if (!match)
      throw new UserError(
        `${verb} could not read its options: "${args[i]}" stands without one; it has ${all}.`,
      );
    const [, name, joined] = match;
    const option = options.find((entry) => entry.name === name);
    if (!option || !args[i]!.startsWith('--')) {
      const nearest = nearestName(name!, shown);
      const hint = nearest ? `did you mean --${nearest}? It has ${all}` : `it has ${all}`;
      throw new UserError(`${verb} has no option ${args[i]!.split('=')[0]}; ${hint}.`);
    }
    if (option.value === null) {
      if (joined !== undefined) throw new UserError(`${verb}: --${name} takes no value.`);
      values.set(name!, '');
    } else if (joined !== undefined) {
      values.set(name!, joined);
    } else {
      const value = args[i + 1];
      // A number may be negative; any other dash begins the next option.
      if (value === undefined || /^-(?![\d.])/.test(value))
        throw new UserError(`${verb}: --${name} needs a value after it.`);
      values.set(name!, value);
      i++;
    }
  }
  return values;
}
