/** What the page uses of two modules that come with d3-scale. */
declare module 'd3-array' {
  export function min<Item>(
    values: Iterable<Item>,
    of: (item: Item) => number | null | undefined,
  ): number | undefined;
  export function max(values: Iterable<number>): number | undefined;
  export function maxIndex(values: Iterable<number>): number;
  export function bisectRight(ascending: ArrayLike<number>, value: number): number;
  export function bisector<Item>(of: (item: Item) => number): {
    right(ascending: ArrayLike<Item>, value: number, low?: number, high?: number): number;
  };
}

declare module 'd3-format' {
  export function format(specifier: string): (value: number) => string;
}
