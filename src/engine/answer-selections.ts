/**
 * What a free run's selections showed the queries that wrote its answer: per query, layer and set the keys it saw. The query that
 * writes token t is t − 1, so the first is the last one of the prompt. Kept as marks, a bit a token: of a text of 16,000 tokens
 * that is 2 kB a set.
 */
import type { Ops } from '../../gpu/ops';
import type { DeviceBuffer } from '../../gpu/rows';
import { readLists } from '../measure/selection-reader';
import type { Selection } from '../methods/method';

/** One layer's selection, off the device. */
interface Kept {
  /** Listed tokens, one bit each, one array per set; none where nothing is listed. */
  readonly sets: readonly Uint8Array[];
  readonly rangeStart: number;
}

/** Where a list that outlives its selection was when it was read: as long as it is there, it is the same list. */
interface ReadList {
  readonly buffer: DeviceBuffer;
  readonly offset: number;
  readonly count: number;
  readonly sets: readonly Uint8Array[];
}

export class AnswerSelections {
  /** The query that wrote the first token. */
  readonly firstQuery: number;
  readonly #ops: Ops;
  readonly #queryHeads: number;
  /** Per query, per layer. */
  readonly #kept: Kept[][] = [];
  readonly #lastRead = new Map<number, ReadList>();
  /** Of the token that is being read. */
  #noted: { readonly layer: number; readonly selection: Selection; readonly isOwned: boolean }[] = [];

  constructor(ops: Ops, firstQuery: number, queryHeads: number) {
    this.#ops = ops;
    this.firstQuery = firstQuery;
    this.#queryHeads = queryHeads;
  }

  /** How many queries wrote a token. */
  get queries(): number {
    return this.#kept.length;
  }

  /**
   * Remembers a layer's selection for the next `read`, and takes its list over where it is the selection's own: release the rest
   * of what it owns, but not that.
   */
  note(layer: number, selection: Selection): void {
    const buffer = selection.list?.buffer;
    this.#noted.push({ layer, selection, isOwned: buffer !== undefined && selection.owned.includes(buffer) });
  }

  /** Reads what was noted of all layers together; ask for it with the token, so that both wait once. */
  async read(): Promise<void> {
    const noted = this.#noted.sort((a, b) => a.layer - b.layer);
    this.#noted = [];
    const reading = noted.map(async ({ layer, selection, isOwned }): Promise<Kept> => {
      const { list, rangeStart } = selection;
      if (!list || list.count === 0) return { sets: [], rangeStart };
      const { buffer, offset, count } = list;
      const last = this.#lastRead.get(layer);
      if (!isOwned && last && last.buffer === buffer && last.offset === offset && last.count === count) {
        return { sets: last.sets, rangeStart };
      }
      const sets = (await readLists(this.#ops, list)).map(marksOf);
      if (!isOwned) this.#lastRead.set(layer, { buffer, offset, count, sets });
      return { sets, rangeStart };
    });
    try {
      this.#kept.push(await Promise.all(reading));
    } finally {
      for (const { selection, isOwned } of noted) if (isOwned) this.#ops.release(selection.list!.buffer);
    }
  }

  /** Whether the query that wrote token query + 1 saw a token, in a layer and query head. The query must be one that wrote. */
  sees(query: number, layer: number, head: number, token: number): boolean {
    const { sets, rangeStart } = this.#kept[query - this.firstQuery]![layer]!;
    if (token >= rangeStart) return token <= query;
    if (sets.length === 0) return false;
    const marks = sets[Math.floor((head * sets.length) / this.#queryHeads)];
    return ((marks![token >> 3] ?? 0) & (1 << (token & 7))) !== 0;
  }

  /** Gives back lists that were noted and not read. */
  release(): void {
    for (const { selection, isOwned } of this.#noted) if (isOwned) this.#ops.release(selection.list!.buffer);
    this.#noted = [];
  }
}

/** One bit for each token up to the last; `ascending` indices. */
function marksOf(ascending: Uint32Array): Uint8Array {
  const marks = new Uint8Array((ascending[ascending.length - 1]! >> 3) + 1);
  for (const token of ascending) marks[token >> 3]! |= 1 << (token & 7);
  return marks;
}
