/** What help says, made from the table of options. */
import { commonOptions, mergeEntry, type OptionEntry, type VerbEntry, verbs } from './options';

/** Characters of a line, at most where words allow it. */
const WIDTH = 110;

/** Where a source's alternatives end and the next begin, a line may end. */
const BETWEEN_GROUPS = /(?<=\)) (?=\()/;

/** Every verb with its usage. */
export function helpText(): string {
  const listed = verbs.map((verb) => `${usage(verb, '  ')}\n      ${verb.summary}\n`).join('\n');
  const everywhere = commonOptions.map(optionUsage).join(', ');
  return `keyhole VERB …\n\n${listed}\nEverywhere: ${everywhere}. "keyhole VERB --help" says what each option means.\n`;
}

/** One verb with all its options. */
export function verbHelp(verb: VerbEntry): string {
  const shown = [...verb.options.filter(({ isInternal }) => !isInternal), ...commonOptions];
  const width = Math.max(...shown.map((option) => optionUsage(option).length));
  const lines = shown.map((option) => `  ${optionUsage(option).padEnd(width)}  ${option.text}\n`);
  const merge =
    verb.name === 'evaluate' ? `${usage(mergeEntry, 'keyhole ')}\n    ${mergeEntry.summary}\n\n` : '';
  return `${usage(verb, 'keyhole ')}\n    ${verb.summary}\n\n${merge}${lines.join('')}`;
}

function usage({ name, source, options }: VerbEntry, lead: string): string {
  const rest = options.filter((option) => !option.isInternal && !source.includes(`--${option.name} `));
  const needed = rest.filter(({ isNeeded }) => isNeeded).map(optionUsage);
  const free = rest.filter(({ isNeeded }) => !isNeeded).map((option) => `[${optionUsage(option)}]`);
  const parts = [...(source === '' ? [] : source.split(BETWEEN_GROUPS)), ...needed, ...free];
  let text = `${lead}${name}`;
  let length = text.length;
  for (const part of parts) {
    if (length + 1 + part.length > WIDTH) {
      text += `\n      ${part}`;
      length = 6 + part.length;
    } else {
      text += ` ${part}`;
      length += 1 + part.length;
    }
  }
  return text;
}

function optionUsage({ name, value }: OptionEntry): string {
  return value === null ? `--${name}` : `--${name} ${value}`;
}
