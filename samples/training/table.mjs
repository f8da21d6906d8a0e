/**
 * Writes the measured table of the model card from evaluation.json, which `keyhole evaluate` made:
 *
 *     node samples/training/table.mjs
 */
import { readFileSync, writeFileSync } from 'node:fs';

/** @typedef {{task: string, tokens: number, label: string, seeds: number, accuracy: number, interval95: [number, number]}} Cell */

/** @param {string} name */
const file = (name) => new URL(name, import.meta.url);
/** @type {{cells: Cell[], modelDigest: string, version: string, device: string, firstSeed: number}} */
const { cells, modelDigest, version, device, firstSeed } = JSON.parse(
  readFileSync(file('evaluation.json'), 'utf8'),
);

const methods = [...new Set(cells.map((cell) => cell.label))];
const lengths = [...new Set(cells.map((cell) => cell.tokens))].sort((a, b) => a - b);
const titles = { 'single-needle': 'Single needle', 'four-needles': 'Four of four needles' };
/** @param {number} share */
const percent = (share) => (100 * share).toFixed(share === 0 || share === 1 ? 0 : 1);

/**
 * Accuracy, its interval, and the seeds behind it where they are not the 200 that a cell should have.
 * @param {Cell | undefined} cell
 */
function text(cell) {
  if (!cell) return '–';
  const [low, high] = cell.interval95;
  const seeds = cell.seeds === 200 ? '' : ` (n = ${cell.seeds})`;
  return `${percent(cell.accuracy)} % [${percent(low)}, ${percent(high)}]${seeds}`;
}

const tables = Object.entries(titles).map(([task, title]) => {
  const rows = methods.map((label) => {
    const found = lengths.map((tokens) =>
      cells.find((cell) => cell.task === task && cell.tokens === tokens && cell.label === label),
    );
    return `| ${label} | ${found.map(text).join(' | ')} |`;
  });
  const head = `| ${title} | ${lengths.map((tokens) => `${tokens.toLocaleString('en')} tokens`).join(' | ')} |`;
  return [head, `|---|${lengths.map(() => '---').join('|')}|`, ...rows].join('\n');
});
const short = cells.filter((cell) => cell.seeds < 200).length;
const intro = [
  `\`keyhole evaluate\` ${version}, weights ${modelDigest}, on ${device}, seeds from ${firstSeed} up, answers generated greedily, all digits`,
  'right, with a 95 % Wilson interval; 200 seeds a cell where nothing else stands beside it.',
  ...(short > 0
    ? [`${short} of ${cells.length} cells have fewer so far: \`--seeds 200\` on the same file goes on.`]
    : []),
].join('\n');

const card = readFileSync(file('README.md'), 'utf8');
const BEGIN = '<!-- esa-table: begin -->';
const END = '<!-- esa-table: end -->';
const before = card.slice(0, card.indexOf(BEGIN) + BEGIN.length);
writeFileSync(
  file('README.md'),
  `${before}\n${[intro, ...tables].join('\n\n')}\n${card.slice(card.indexOf(END))}`,
);
