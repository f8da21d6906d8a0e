import type { Page } from 'playwright-core';
import { expect, test, vi } from 'vitest';
import { type ColourTables, colourTablesOf, IGNORED_BITS } from '../../components/map/colour-tables';
import { createCpuOps } from '../../gpu/cpu';
import { nodeEnvironment } from '../../src/cli/node-environment';
import { Engine } from '../../src/engine/engine';
import type { QueryRow } from '../../src/measure/results';
import { methodById } from '../../src/methods';
import { ownPositionsOf } from '../../src/methods/method-spec';
import { nodeFolder } from '../../src/model/files/folder-node';
import type { KeyholeState } from '../../src/page/contract';
import { isKept, isMissed } from '../../src/page/explain/explain-key';
import { describeInChromium, follow, idle, screenshot } from './harness';

/** Over the diagonal: some cells are empty. */
const zoom = { rowStart: 30, rowEnd: 46, columnStart: 24, columnEnd: 40 };
const VIEW = 'sample=short&layer=3&head=2&zoom=30-46-24-40&theme=dark&pin=none';
const window = `${VIEW}&method=streaming-llm&p.keepFraction=0.3`;
const own = `${VIEW}&method=esa&p.projection=exact&p.initTokens=2&p.localTokens=5&p.selectedTokens=3&p.chunkTokens=7&positions=own`;

const environment = { ...nodeEnvironment(), modelFolder: () => nodeFolder('samples/model') };
const engine = new Engine(createCpuOps(), environment);

/** The rows of the study that the page shows, computed here. */
async function rowsOf(state: KeyholeState): Promise<QueryRow[]> {
  await engine.run({
    spec: {
      ...{ model: 'bundled', source: state.source, pinned: [], queriesStart: null, startToken: null },
      method: { id: state.method, parameters: state.parameters },
    },
    ...{ parts: ['probe'], signal: new AbortController().signal, full: null },
    ...{ emit: () => {}, onFull: () => {} },
  });
  const { layer, head } = state.view;
  const { method, parameters } = state;
  const positions = state.view.positions === 'own' ? ownPositionsOf(methodById(method), parameters) : null;
  const queries = Array.from({ length: zoom.rowEnd - zoom.rowStart }, (_, i) => zoom.rowStart + i);
  return Promise.all(queries.map((query) => engine.row(layer, head, query, positions)));
}

/** Colours that cells may have: a weight's own, or a neighbour's where the last bit of a weight decides. */
function coloursOf(row: QueryRow, key: number, mode: string, colours: ColourTables): number[] {
  if (key > row.query) return [colours.ground];
  const ramp =
    mode === 'full'
      ? colours.heat
      : isKept(row, key)
        ? colours.kept
        : isMissed(row, key)
          ? colours.missed
          : colours.faint;
  const bits = new Uint32Array(Float32Array.of(row.weights[key]!).buffer)[0]!;
  return [-8, 0, 8].map((change) => ramp[(bits + change) >>> IGNORED_BITS]!);
}

/** Packed colours of the cells' middles. */
const cellsOf = (page: Page): Promise<number[]> =>
  page.evaluate((side) => {
    const map = document.querySelector('[role="application"][aria-label^="Attention map"]')!;
    const canvas = map.querySelector('canvas')!;
    const context = canvas.getContext('2d')!;
    return Array.from({ length: side * side }, (_, at) => {
      const x = Math.floor((((at % side) + 0.5) * canvas.width) / side);
      const y = Math.floor(((Math.floor(at / side) + 0.5) * canvas.height) / side);
      const [red, green, blue, alpha] = context.getImageData(x, y, 1, 1).data;
      return ((alpha! << 24) | (blue! << 16) | (green! << 8) | red!) >>> 0;
    });
  }, zoom.rowEnd - zoom.rowStart);

describeInChromium('map', 'cpu', (chromium) => {
  test('a cell that is zoomed in on has the colour of its weight: full, with what is kept, under a method’s own positions', async () => {
    const colours = colourTablesOf('dark');
    let page: Page | null = null;
    for (const [mode, hash] of [
      ['full', window],
      ['both', window],
      ['both', own],
    ] as const) {
      if (page) await follow(page, `${hash}&mode=${mode}`);
      else page = await chromium.openPage(`${hash}&mode=${mode}`);
      const state = await idle<KeyholeState>(page);
      expect.soft(state.view).toMatchObject({ zoom, mode });
      const rows = await rowsOf(state);
      const name = `${mode}${hash === own ? '-own' : ''}`;
      const wrong = async (shown: Page) =>
        (await cellsOf(shown)).flatMap((colour, at) => {
          const row = rows[Math.floor(at / rows.length)]!;
          const key = zoom.columnStart + (at % rows.length);
          const expected = coloursOf(row, key, mode, colours);
          return expected.includes(colour)
            ? []
            : [`${name}, query ${row.query}, key ${key}: ${colour}, not ${expected[1]}`];
        });
      // Soft: what is wrong in one view hides no other.
      const isDrawn = async () => (await wrong(page!)).length === 0;
      await vi.waitUntil(isDrawn, { timeout: 10_000, interval: 100 }).catch(() => {});
      expect.soft(await wrong(page)).toEqual([]);
      expect.soft(new Set(await cellsOf(page)).size, `${name}: different colours`).toBeGreaterThan(20);
      await screenshot(page, `map-zoomed-${name}`);
    }
  });
});
