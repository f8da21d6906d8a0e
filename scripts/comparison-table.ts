/** The tables of docs/comparison.md, from docs/comparison.json (`scripts/comparison.mjs`). */
import { wilsonInterval } from '../src/measure/wilson';

const MEASURES = ['kept', 'massRecall', 'outputError', 'divergenceNats'] as const;

type Cell = {
  readonly task: string;
  readonly label: string;
  readonly evictAfter: string;
  /** As in the file of an evaluation. */
  readonly right: string;
  readonly digitShare?: number | null;
} & { readonly [name in (typeof MEASURES)[number]]?: number | null };

const percent = (share: number): string => (100 * share).toFixed(0);

/** Mean of numbers of which none may be missing. */
function meanOf(values: readonly (number | null | undefined)[], show: (mean: number) => string): string {
  if (values.some((value) => value == null)) return '–';
  return show((values as number[]).reduce((sum, value) => sum + value, 0) / values.length);
}

/** Accuracy with its interval, in per cent. */
function accuracyOf(right: string): string {
  const answered = right.replaceAll('-', '');
  if (answered === '') return '–';
  const hits = answered.replaceAll('0', '').length;
  const { low, high } = wilsonInterval(hits, answered.length);
  return `${percent(hits / answered.length)} (${percent(low)}–${percent(high)})`;
}

/** Of one place of eviction: a row per method and budget, accuracy by task, then means over the tasks. */
export function comparisonTable(text: string, place: string): string {
  const all = (JSON.parse(text) as { cells: Cell[] }).cells;
  const cells = all.filter(({ evictAfter }) => evictAfter === place);
  const tasks = [...new Set(all.map(({ task }) => task))];
  const rows = [...new Set(cells.map(({ label }) => label))].flatMap((label) => {
    const found = cells.filter((cell) => cell.label === label);
    const run = found.filter(({ right }) => /[01]/.test(right));
    if (run.length === 0) return [];
    const byTask = tasks.map((task) => accuracyOf(found.find((cell) => cell.task === task)?.right ?? ''));
    const digits = meanOf(
      run.map(({ digitShare }) => digitShare),
      percent,
    );
    const means = MEASURES.map((name) =>
      meanOf(
        run.map((cell) => cell[name]),
        (mean) => mean.toFixed(3),
      ),
    );
    return [[label, ...byTask, digits, ...means]];
  });
  const head = ['method', ...tasks, 'digits', 'kept', 'mass', 'error', 'KL'];
  return [head, head.map(() => '---'), ...rows].map((row) => `| ${row.join(' | ')} |`).join('\n');
}
