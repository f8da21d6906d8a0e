import { existsSync, mkdirSync, mkdtempSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { longest } from '../../scripts/longest-first.mjs';
import { serveFolder } from '../../scripts/serve.mjs';
import { isStale } from '../../scripts/stale.mjs';

let folder: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'keyhole-scripts-'));
});

afterEach(() => rmSync(folder, { recursive: true }));

function write(name: string, seconds: number): string {
  const path = join(folder, name);
  writeFileSync(path, name);
  utimesSync(path, seconds, seconds);
  return path;
}

describe('isStale', () => {
  it('compares the output with the newest file below its inputs', () => {
    const sources = join(folder, 'sources');
    mkdirSync(join(sources, 'deep'), { recursive: true });
    write('sources/deep/a.ts', 2000);
    utimesSync(join(sources, 'deep'), 2000, 2000);
    utimesSync(sources, 1000, 1000);
    const output = write('output.js', 2001);

    expect(isStale(output, [sources, join(folder, 'missing')])).toBe(false);
    write('sources/deep/a.ts', 2002);
    expect(isStale(output, [sources])).toBe(true);
    expect(isStale(join(folder, 'never-built.js'), [sources])).toBe(true);
  });

  it('sees that a source was deleted', () => {
    const sources = join(folder, 'sources');
    mkdirSync(sources);
    write('sources/a.ts', 1000);
    const output = write('output.js', 2000);
    utimesSync(sources, 1000, 1000);
    expect(isStale(output, [sources])).toBe(false);
    rmSync(join(sources, 'a.ts'));
    expect(isStale(output, [sources])).toBe(true);
  });
});

describe('serveFolder', () => {
  it('serves the folder below the prefix and nothing else', async () => {
    mkdirSync(join(folder, 'page'));
    write('page/index.html', 1000);
    write('page/data.json', 1000);
    write('secret.txt', 1000);
    const { url, close } = await serveFolder(join(folder, 'page'), { prefix: '/a/b/' });
    try {
      expect(new URL(url).pathname).toBe('/a/b/');
      expect(await (await fetch(url)).text()).toBe('page/index.html');
      expect(await (await fetch(`${url}data.json`)).text()).toBe('page/data.json');
      for (const path of ['/', '/a/', '/a/b/missing', '/a/b/..%2fsecret.txt', '/a/b/../secret.txt']) {
        expect((await fetch(new URL(path, url))).status, path).toBe(404);
      }
    } finally {
      await close();
    }
  });
});

it('the files that take longest are there', () => {
  expect(longest.filter((name) => !existsSync(name))).toEqual([]);
});
