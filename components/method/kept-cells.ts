/** What a query sees of the tokens up to its own, for every query of a text: a triangle of cells. */

/** 'chosen': by the method. 'placed': for where it stands, or because nothing has been dropped yet. 'mixed': in a row made of several tokens. */
export const CELL_FATES = ['unseen', 'placed', 'chosen', 'mixed'] as const;
export type CellFate = (typeof CELL_FATES)[number];

/** By query, then by token up to the query's own. */
export type Triangle = readonly (readonly CellFate[])[];

const LETTERS: Readonly<Record<CellFate, string>> = { unseen: '.', placed: 'p', chosen: 'c', mixed: 'm' };

/**
 * Column by column, each from its own query down, in runs of one fate: a letter and how often, left out where it is once. What is
 * dropped stays so in most methods, so columns are short.
 */
export function packTriangle(triangle: Triangle): string {
  return triangle
    .map((_, token) => {
      const column = triangle.slice(token).map((row) => LETTERS[row[token]!]);
      return column.join('').replace(/(.)\1+/g, (run, letter) => `${letter}${run.length}`);
    })
    .join(' ');
}

/** What became of one token for consecutive queries, [from, to). */
interface Run {
  readonly token: number;
  readonly from: number;
  readonly to: number;
  readonly fate: CellFate;
}

/** The runs of packed cells. @throws Error for a text that `packTriangle` has not made */
export function runsOf(packed: string): Run[] {
  const columns = packed.split(' ');
  return columns.flatMap((column, token) => {
    let from = token;
    const runs = [...column.matchAll(/([.pcm])(\d*)/g)].map(([, letter, times]) => {
      const run = { token, from, to: from + Number(times || 1), fate: fateOf(letter!) };
      from = run.to;
      return run;
    });
    if (from !== columns.length) throw new Error('these cells are no triangle');
    return runs;
  });
}

const fateOf = (letter: string): CellFate => CELL_FATES.find((fate) => LETTERS[fate] === letter)!;

/** How many cells have each fate, of all queries or of the last. */
export function countCells(packed: string, of: 'all' | 'last query' = 'all'): Record<CellFate, number> {
  const counts = { unseen: 0, placed: 0, chosen: 0, mixed: 0 };
  const runs = runsOf(packed);
  const end = Math.max(...runs.map(({ to }) => to));
  for (const { from, to, fate } of runs) {
    if (of === 'all') counts[fate] += to - from;
    else if (to === end) counts[fate] += 1;
  }
  return counts;
}

/** The runs of one fate as the data of an SVG path, to be stroked one unit wide: a unit a cell, queries down. */
export function strokesOf(packed: string, fate: CellFate): string {
  return runsOf(packed)
    .filter((run) => run.fate === fate)
    .map(({ token, from, to }) => `M${token + 0.5} ${from}v${to - from}`)
    .join('');
}
