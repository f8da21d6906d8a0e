import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, it } from 'vitest';
import { judgeSizes, measureSizes, takeSizes } from '../../scripts/sizes.mjs';

const folder = mkdtempSync(join(tmpdir(), 'keyhole-sizes-'));
afterAll(() => rmSync(folder, { recursive: true }));

it('knows the page, the worker and what is fetched later', () => {
  mkdirSync(join(folder, 'assets'));
  const write = (name: string, content: string) => writeFileSync(join(folder, name), content);
  const preload = '<link rel="modulepreload" href="./assets/shared-GGGGGGGG.js">';
  write('index.html', `<script src="./assets/index-AAAAAAAA.js"></script>${preload}`);
  write('assets/shared-GGGGGGGG.js', 'shared');
  write('assets/checks-HHHHHHHH.js', 'checks');
  write('assets/index-AAAAAAAA.js', 'page');
  write('assets/worker-B_-BBBBB.js', 'import{a}from"./shared-GGGGGGGG.js";import"./checks-HHHHHHHH.js";');
  write('assets/closed-form-CCCCCCCC.js', 'once');
  write('assets/index-EEEEEEEE.css', 'a{}');
  write('assets/model-FFFFFFFF.safetensors', 'weights');
  write('study.json', '{}');
  const sizes = measureSizes(folder, join(folder, 'study.json'));
  expect(Object.keys(sizes).sort()).toEqual([
    'lazy: closed-form',
    'page',
    'recorded study',
    'styles',
    'worker',
  ]);
  // A gzipped word takes its letters and a head of 20 bytes.
  expect(sizes['lazy: closed-form']).toBeCloseTo(0.024, 3);
  expect(sizes.page).toBeCloseTo(0.05, 2);
  expect(sizes.worker).toBeCloseTo(0.1, 1);
});

it('says what is too large, not listed, not built or without a reason', () => {
  const measured = { page: 100, worker: 50, styles: 6.04, 'lazy: a': 1 };
  const committed = {
    'page and worker': { kB: 150, reason: 'all of it' },
    styles: { kB: 6, reason: 'one theme' },
    'lazy: a': { kB: 1, reason: 'rarely' },
  };
  expect(judgeSizes(measured, committed)).toEqual([]);
  expect(judgeSizes({ ...measured, worker: 50.2 }, committed)).toEqual([
    'page and worker has 150.2 kB and sizes.json allows 150: make it smaller, or raise the number and say why.',
  ]);
  expect(judgeSizes({ ...measured, 'lazy: b': 2 }, committed)).toEqual([
    'lazy: b (2.0 kB) is not in sizes.json: list it with a reason.',
  ]);
  const gone = { ...committed, 'lazy: c': { kB: 1, reason: '' } };
  expect(judgeSizes(measured, gone)).toEqual([
    'lazy: c stands in sizes.json and is not built: take it out.',
    'lazy: c has no reason in sizes.json.',
  ]);
});

it('takes what was measured, and asks for a reason where that is more', () => {
  const committed = {
    'page and worker': { kB: 150, reason: 'all of it' },
    styles: { kB: 6, reason: 'one theme' },
  };
  const taken = takeSizes({ page: 100, worker: 49.96, styles: 6.12, 'lazy: a': 1 }, committed);
  expect(taken).toEqual({
    'page and worker': { kB: 150, reason: 'all of it' },
    styles: { kB: 6.2, reason: '' },
    'lazy: a': { kB: 1, reason: '' },
  });
  expect(judgeSizes({ page: 100, worker: 49.96, styles: 6.12, 'lazy: a': 1 }, taken)).toEqual([
    'styles has no reason in sizes.json.',
    'lazy: a has no reason in sizes.json.',
  ]);
});
