import { expect, test } from 'vitest';
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
import { describeInChromium, idle, screenshot } from './harness';

/** Over the diagonal: some cells are empty. */
const zoom = { rowStart: 30, rowEnd: 46, columnStart: 24, columnEnd: 40 };
const VIEW = 'sample=short&layer=3&head=2&zoom=30-46-24-40&theme=dark&pin=none';
const window = `${VIEW}&method=streaming-llm&p.keepFraction=0.3`;
const own = `${VIEW}&method=esa&p.projection=exact&p.initTokens=2&p.localTokens=5&p.selectedTokens=3&p.chunkTokens=7&positions=own`;

/** The rows of the study that the page shows, computed here. */
async function rowsOf(state: KeyholeState): Promise<QueryRow[]> {
  const environment = { ...nodeEnvironment(), modelFolder: () => nodeFolder('samples/model') };
  const engine = new Engine(createCpuOps(), environment);
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

describeInChromium('map', 'cpu', (chromium) => {
  test.each([
    ['full', window],
    ['both', window],
    ['both', own],
  ])('a cell that is zoomed in on has the colour of its weight: %s, %s', async (mode, hash) => {
    const page = await chromium.openPage(`${hash}&mode=${mode}`);
    const state = await idle<KeyholeState>(page);
    expect(state.view.zoom).toEqual(zoom);
    const rows = await rowsOf(state);
    const colours = colourTablesOf('dark');
    /** Packed colours of the cells' middles. */
    const cells = () =>
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
      }, rows.length);
    const wrong = async () => {
      const seen = await cells();
      return seen.flatMap((colour, at) => {
        const row = rows[Math.floor(at / rows.length)]!;
        const key = zoom.columnStart + (at % rows.length);
        const expected = coloursOf(row, key, mode, colours);
        return expected.includes(colour)
          ? []
          : [`query ${row.query}, key ${key}: ${colour}, not ${expected[1]}`];
      });
    };
    await expect.poll(wrong, { timeout: 10_000 }).toEqual([]);
    expect(new Set(await cells()).size, 'different colours').toBeGreaterThan(20);
    await screenshot(page, `map-zoomed-${mode}${hash === own ? '-own' : ''}`);
  });
});
