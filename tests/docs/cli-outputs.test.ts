/** docs/cli.md: its commands are run, and what it says that they print and write is compared. */
import { readFileSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { root } from '../../scripts/setup.mjs';
import { readSafetensors } from '../../src/model/files/safetensors';
import { openCommandLine } from '../cli/keyhole';

interface Example {
  readonly verb: string;
  readonly command: string;
  /** What stands below the command, by file; '' is standard output. */
  readonly outputs: ReadonlyMap<string, string>;
}

function examplesIn(document: string): Example[] {
  return document
    .split(/^## /m)
    .slice(1)
    .map((section) => {
      const blocks = [...section.matchAll(/^```(\w*) ?(.*)\n([\s\S]*?)^```$/gm)];
      const command = blocks.find(([, language]) => language === 'sh')?.[3] ?? '';
      const outputs = blocks.filter(([, language]) => language === 'text');
      return {
        verb: section.split('\n')[0] ?? '',
        command,
        outputs: new Map(outputs.map(([, , file = '', content = '']) => [file, content.trimEnd()])),
      };
    });
}

const examples = examplesIn(readFileSync(join(root, 'docs/cli.md'), 'utf8'));
const { keyhole, path } = openCommandLine();
symlinkSync(join(root, 'samples'), path('samples'));

/** A line of a listing as the file has it: of a tensor its shape and as many of its values, of JSON the value at a path. */
function lineOf(file: string, said: string): string {
  const [name = '', ...rest] = said.split(/\s+/);
  if (file.endsWith('.safetensors')) {
    const tensors = readSafetensors(readFileSync(path(file)));
    if (!tensors.has(name)) return `${name} is missing`;
    const values =
      rest
        .join(' ')
        .match(/\](.*)$/)?.[1]
        ?.trim() ?? '';
    const count = values === '' ? 0 : values.split(' ').filter((value) => value !== '…').length;
    const first = count === 0 ? [] : tensors.int32(name).slice(0, count);
    return [
      name,
      `[${tensors.shape(name).join(', ')}]`,
      ...first,
      ...(values.endsWith('…') ? ['…'] : []),
    ].join(' ');
  }
  const value = name
    .split('.')
    .reduce<unknown>(
      (parent, key) => (parent as Record<string, unknown>)?.[key],
      JSON.parse(readFileSync(path(file), 'utf8')),
    );
  return `${name} ${value}`;
}

/** The records of a sweep as a table with the columns that the first line names. */
function tableOf(file: string, head: string): string[] {
  const { records } = JSON.parse(readFileSync(path(file), 'utf8')) as { records: Record<string, unknown>[] };
  const columns = head.split(/\s+/);
  const cell = (column: string, value: unknown) =>
    typeof value === 'number' && column !== 'keep' ? value.toFixed(3) : String(value);
  return [
    columns.join(' '),
    ...records.map((record) => columns.map((column) => cell(column, record[column])).join(' ')),
  ];
}

describe.each(examples)('$verb', ({ command, outputs }) => {
  it('gives what docs/cli.md says', async () => {
    expect(outputs.size).toBeGreaterThan(0);
    // `npm run --silent keyhole -- VERB …` is this program, here on the CPU.
    const npm = 'npm() { shift 4; "$KEYHOLE" "$PROGRAM" "$@" --backend cpu; }';
    const { code, stdout, stderr } = await keyhole.shell(`set -e\ncd '${path('')}'\n${npm}\n${command}`);
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    for (const [file, content] of outputs) {
      const said = content.split('\n').map((line) => line.trim().replace(/(?<!,) +/g, ' '));
      if (file === '') expect(stdout.trimEnd().split('\n')).toEqual(said);
      else if (said[0]?.startsWith('method ')) expect(tableOf(file, said[0])).toEqual(said);
      else expect(said.map((line) => lineOf(file, line))).toEqual(said);
    }
  }, 120_000);
});

it('every verb has an example', async () => {
  const { verbs } = await import('../../src/cli/options');
  expect(examples.map(({ verb }) => verb)).toEqual(verbs.map(({ name }) => name));
});
