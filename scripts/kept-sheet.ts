/** docs/kept.svg: the small pictures of all methods on one sheet. */
import { CELL_FATES, strokesOf } from '../components/method/kept-cells';
import type { KeptPictures } from '../components/method/kept-pictures';
import { methods } from '../src/methods';

const CELL = 2;
const COLUMNS = 5;
const [WIDTH, HEIGHT, MARGIN, HEAD] = [196, 128, 16, 52];

const STYLE = `
    svg { background: #ffffff; font: 12px ui-sans-serif, system-ui, sans-serif; }
    path { shape-rendering: crispEdges; }
    text { fill: #10201f; }
    .note { fill: #5a6a69; font-size: 11px; }
    .unseen { stroke: #e4e9e9; }
    .placed { stroke: #86c6bd; }
    .chosen { stroke: #0c7d6f; }
    .mixed { stroke: #b9a7d9; }
    @media (prefers-color-scheme: dark) {
      svg { background: #0e1114; }
      text { fill: #e6ecec; }
      .note { fill: #93a1a1; }
      .unseen { stroke: #232a32; }
      .placed { stroke: #1f6c63; }
      .chosen { stroke: #45dcc8; }
      .mixed { stroke: #6d5b95; }
    }
  `;

export function keptSheet({ pictures, tokens, evictAt }: KeptPictures): string {
  const drawn = methods.flatMap(({ id, title }) => (pictures[id] ? [{ title, picture: pictures[id] }] : []));
  const width = 2 * MARGIN + COLUMNS * WIDTH;
  const height = HEAD + Math.ceil(drawn.length / COLUMNS) * HEIGHT + MARGIN;
  const size = tokens * CELL;
  const sheet = drawn.map(({ title, picture }, i) => {
    const [x, y] = [MARGIN + (i % COLUMNS) * WIDTH, HEAD + Math.floor(i / COLUMNS) * HEIGHT];
    const heads = picture.heads.map(({ layer, head, cells }, at) => {
      const left = x + at * (size + 8);
      const strokes = CELL_FATES.map((fate) => [fate, strokesOf(cells, fate)] as const)
        .filter(([, strokes]) => strokes !== '')
        .map(([fate, strokes]) => `<path class="${fate}" d="${strokes}"/>`);
      return [
        `  <g transform="translate(${left} ${y + 16}) scale(${CELL})">${strokes.join('')}</g>`,
        `  <text x="${left + size}" y="${y + 26}" class="note" text-anchor="end">${layer}.${head}</text>`,
      ].join('\n');
    });
    return [`  <text x="${x}" y="${y + 10}">${title}</text>`, ...heads].join('\n');
  });
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" role="img" aria-labelledby="title">`,
    `  <title id="title">What each method lets the queries of a text of ${tokens} tokens see</title>`,
    `  <style>${STYLE}</style>`,
    `  <text x="${MARGIN}" y="20" class="note">A row is a query, a column a key before it, numbers are layer.head. Strong: chosen. Soft: there for its place, or nothing dropped yet. Violet: mixed into rows of the cache.</text>`,
    `  <text x="${MARGIN}" y="36" class="note">Methods that evict once do so before token ${evictAt}. Where heads see different numbers of keys, the one with fewest and the one with most.</text>`,
    ...sheet,
    '</svg>',
    '',
  ].join('\n');
}
