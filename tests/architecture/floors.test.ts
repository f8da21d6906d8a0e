/** The floors of the house (docs/architecture.md): who may import whom. */
import { describe, expect, it } from 'vitest';
import { arrowsOf, circles, FLOORS, floorOf, modulesOf, upward } from '../../scripts/import-graph.mjs';

const root = new URL('../..', import.meta.url).pathname;
const modules = modulesOf(root);
const arrows = arrowsOf(root, modules);

describe('the floors', () => {
  it('hold every module but the doors', () => {
    const doors = modules.filter((module) => floorOf(module, FLOORS) < 0);
    expect(doors).toEqual(['src/cli.ts', 'src/main.tsx']);
    expect(arrows.length).toBeGreaterThan(modules.length);
  });

  it('are never imported from below', () => {
    expect(upward(arrows, FLOORS)).toEqual([]);
  });

  it('have no circles, types included', () => {
    expect(circles(modules, arrows)).toEqual([]);
  });

  it('let pictures and page logic know nothing of kernels, and the command line nothing of the page', () => {
    const forbidden: [string, string][] = [
      ['components/', 'gpu/'],
      ['components/', 'src/worker/'],
      ['src/page/', 'gpu/'],
      ['src/page/', 'src/engine/'],
      ['src/page/', 'src/worker/'],
      ['src/cli/', 'src/page/'],
      ['src/cli/', 'src/worker/'],
      ['src/methods/', 'gpu/cpu/'],
      ['src/methods/', 'gpu/webgpu/'],
    ];
    const wrong = arrows.filter(({ from, to }) =>
      forbidden.some(([room, other]) => from.startsWith(room) && to.startsWith(other)),
    );
    expect(wrong).toEqual([]);
  });
});

describe('the import graph', () => {
  it('finds circles and upward imports where there are some', () => {
    const graph = [
      { from: 'low/a.ts', to: 'low/b.ts' },
      { from: 'low/b.ts', to: 'low/a.ts' },
      { from: 'low/b.ts', to: 'high/c.ts' },
      { from: 'high/c.ts', to: 'low/a.ts' },
      { from: 'high/d.ts', to: 'high/c.ts' },
    ];
    const all = ['low/a.ts', 'low/b.ts', 'high/c.ts', 'high/d.ts'];
    expect(circles(all, graph)).toEqual([['high/c.ts', 'low/a.ts', 'low/b.ts']]);
    expect(upward(graph, ['low', 'high'])).toEqual([{ from: 'low/b.ts', to: 'high/c.ts' }]);
  });
});
