/** What the documents say about the repository: paths, links, commands, sections that the code refers to, generated passages. */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join, normalize } from 'node:path';
import { describe, expect, it } from 'vitest';
import { fillPassages } from '../../scripts/docs-passages';
import { documents } from '../../scripts/documents.mjs';
import { FLOORS } from '../../scripts/import-graph.mjs';
import { root } from '../../scripts/setup.mjs';
import { methods } from '../../src/methods';

const read = (name: string): string => readFileSync(join(root, name), 'utf8');
const names = documents();
/** What stood where in an earlier version is history. */
const current = names.filter((name) => name !== 'CHANGELOG.md');

const rooms = ['src', 'gpu', 'components', 'docs', 'tests', 'scripts', 'samples', 'bench', '.ci', '.github'];
const files = rooms.flatMap((room) =>
  readdirSync(join(root, room), { recursive: true, encoding: 'utf8' }).map((name) => `${room}/${name}`),
);

/** Paths from the root, in code, prose and pictures; `<name>` and `*` stand for any name, `{a,b}` for several. */
const PATH = new RegExp(`(?<![\\w./-])(?:${rooms.join('|').replaceAll('.', '\\.')})/[\\w./*<>{},-]*`, 'g');

function pathsIn(document: string): string[] {
  return [...document.matchAll(PATH)].map(([path]) => path.replace(/[.,:/-]+$/, ''));
}

function exists(path: string): boolean {
  if (!/[*<{]/.test(path)) return existsSync(join(root, path));
  const pattern = path
    .replaceAll('.', '\\.')
    .replace(/\*|<[\w-]+>/g, '[^/]+')
    .replace(/\{([^}]+)\}/g, (_all, names: string) => `(?:${names.replaceAll(',', '|')})`);
  return files.some((file) => new RegExp(`^${pattern}$`).test(file));
}

/** Anchors of headings, as GitHub makes them. */
function anchorsOf(document: string): Set<string> {
  const prose = document.replace(/^```[\s\S]*?^```/gm, '');
  const headings = [...prose.matchAll(/^#+ (.+)$/gm)].map(([, title = '']) => title);
  return new Set(
    headings.map((title) =>
      title
        .toLowerCase()
        .replace(/[^\p{L}\p{N}\s_-]/gu, '')
        .replaceAll(' ', '-'),
    ),
  );
}

describe.each(names)('%s', (name) => {
  it('has its generated passages as `node scripts/docs.mjs` makes them', async () => {
    expect(await fillPassages(read(name))).toBe(read(name));
  });

  it('links to files and sections that exist', () => {
    const broken = [...read(name).matchAll(/\]\(([^)\s]+)\)/g)]
      .map(([, target = '']) => target)
      .filter((target) => !/^https?:/.test(target))
      .filter((target) => {
        const [path = '', anchor] = target.split('#');
        const file = path === '' ? name : normalize(join(dirname(name), path));
        if (!existsSync(join(root, file))) return true;
        return anchor !== undefined && !anchorsOf(read(file)).has(anchor);
      });
    expect(broken).toEqual([]);
  });
});

it.each(current)('paths in %s exist', (name) => {
  // The audit names tests by their place below tests/.
  const below = name === 'docs/audit.md' ? 'tests/' : '';
  const tests = [...read(name).matchAll(/(?<=`)[\w/-]+\.test\.tsx?(?=`)/g)].map(([path]) => below + path);
  const paths = below === '' ? pathsIn(read(name)) : tests;
  const bare = [...read(name).matchAll(/(?<=`)[\w.-]+\.(?:tsx?|mjs|wgsl)(?=`)/g)].map(([file]) => file);
  const missing = bare.filter((file) => !files.some((path) => path.endsWith(`/${file}`)));
  expect([...paths.filter((path) => !exists(path)), ...missing]).toEqual([]);
});

it('tests that the audit names exist, by their names', () => {
  const missing: string[] = [];
  const mentions = read('docs/audit.md').matchAll(/`([\w/-]+\.test\.tsx?)`((?:,? "[^"]+")+)/g);
  for (const [, file = '', quoted = ''] of mentions) {
    const path = `tests/${file}`;
    const source = existsSync(join(root, path)) ? read(path) : '';
    for (const [, title = ''] of quoted.matchAll(/"([^"]+)"/g)) {
      if (!source.includes(title)) missing.push(`${path}: ${title}`);
    }
  }
  expect(missing).toEqual([]);
});

it('paths in pictures exist', () => {
  const pictures = readdirSync(join(root, 'docs')).filter((name) => name.endsWith('.svg'));
  const missing = pictures.flatMap((name) =>
    pathsIn(read(`docs/${name}`).replace(/<[^>]+>/g, ' ')).filter((path) => !exists(path)),
  );
  expect(missing).toEqual([]);
});

it('docs/methods.md has a section for every method, with its parameters', () => {
  const sections = read('docs/methods.md').split(/^## /m);
  const without = methods.filter(({ id, parameters }) => {
    const section = sections.find((text) => text.startsWith(`${id}\n`));
    const hasTable = section?.includes(`<!-- generated: parameters ${id} -->`);
    return section === undefined || (Object.keys(parameters).length > 0 && !hasTable);
  });
  expect(without.map(({ id }) => id)).toEqual([]);
});

it('commands of the documents are in package.json', () => {
  const scripts = Object.keys(JSON.parse(read('package.json')).scripts);
  const named = current.flatMap((name) =>
    [...read(name).matchAll(/npm run (?:--silent )?([\w-]+)/g)].map(([, script = '']) => script),
  );
  expect(named.length).toBeGreaterThan(5);
  expect([...new Set(named)].filter((script) => !scripts.includes(script))).toEqual([]);
});

it('sections that the code refers to exist', () => {
  const sources = files.filter((file) => /\.(ts|tsx|mjs|wgsl|py)$/.test(file));
  const missing: string[] = [];
  let references = 0;
  for (const source of sources) {
    for (const [reference, document = '', title = ''] of read(source).matchAll(
      /(docs\/[\w-]+\.md), "([^"\n]+)"/g,
    )) {
      references += 1;
      const headings = existsSync(join(root, document)) ? read(document).split('\n') : [];
      if (!headings.some((line) => /^#+ /.test(line) && line.replace(/^#+ /, '') === title))
        missing.push(`${source}: ${reference}`);
    }
  }
  expect(references).toBeGreaterThan(10);
  expect(missing).toEqual([]);
});

it('docs/architecture.md has the floors in the order that a test holds', () => {
  const document = read('docs/architecture.md');
  const table = document.slice(document.indexOf('## The floors'), document.indexOf('## The way'));
  expect([...table.matchAll(/^\| `([\w/]+)` \|/gm)].map(([, room]) => room)).toEqual(FLOORS);
});

it.each(['docs/architecture.md', 'docs/architecture.svg', 'CONTRIBUTING.md'])(
  'names in %s are names of the program',
  (name) => {
    const sources = files.filter((file) => /^(src|gpu|components|scripts).*\.(ts|tsx|mjs)$/.test(file));
    const program = sources.map(read).join('\n');
    const named = [...read(name).matchAll(/(?<=`|: )[a-z]+[A-Z]\w*(?=`|<)/g)].map(([word]) => word);
    expect(named.filter((word) => !new RegExp(`\\b${word}\\b`).test(program))).toEqual([]);
  },
);

it('the README is one document, not five', () => {
  expect(Buffer.byteLength(read('README.md'))).toBeLessThanOrEqual(8000);
});
