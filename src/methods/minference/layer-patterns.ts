/** One layer's patterns over a prompt: each query head's columns, diagonals and blocks, chosen once, and what they show its queries. */

import { longestPattern } from '../../../gpu/operations/pattern-lists/op';
import type { IndexList, ScoreRows } from '../../../gpu/ops';
import type { DeviceBuffer } from '../../../gpu/rows';
import type { MethodContext, PromptRows } from '../method';
import { remembered } from '../remember';
import { blockScores } from './block-scores';
import { lastQueryScores } from './last-queries';
import { type BlockSparse, blocksOf, type Looks, type Pattern } from './patterns';

/** Lists of different lengths, and the buffer that is theirs. */
interface Ragged {
  readonly list: IndexList;
  readonly buffer: DeviceBuffer;
}

export class LayerPatterns {
  readonly #context: MethodContext;
  readonly #patterns: readonly Pattern[];
  readonly #tokens: number;
  readonly #columns: Ragged;
  readonly #diagonals: Ragged;
  /** Of the rows of blocks from `firstRow` on. */
  #blocks: (Ragged & { readonly firstRow: number }) | null = null;

  /** `patterns`: of each query head. */
  constructor(
    context: MethodContext,
    layer: number,
    prompt: PromptRows,
    patterns: readonly Pattern[],
    looks: Looks,
  ) {
    this.#context = context;
    this.#patterns = patterns;
    this.#tokens = prompt.query.rows;
    const tokens = this.#tokens;
    const sizeOf = (pattern: Pattern): readonly [columns: number, diagonals: number] => {
      if (pattern.kind === 'a-shape') return [pattern.initTokens, pattern.localTokens];
      return pattern.kind === 'vertical-slash' ? [pattern.verticalTokens, pattern.slashDiagonals] : [0, 0];
    };
    const counts = patterns.map((pattern) => sizeOf(pattern).map((size) => Math.min(size, tokens)));
    // What stays whatever it received: the first columns, the nearest diagonals, and all of an A-shape.
    const given = counts.map(([columns, diagonals], head) => {
      const isLooking = patterns[head]!.kind === 'vertical-slash';
      return {
        first: isLooking ? Math.min(looks.forcedColumns, columns!) : columns!,
        last: isLooking ? Math.min(looks.forcedDiagonals, diagonals!) : diagonals!,
      };
    });
    const upTo = (end: number, count: number): number[] =>
      Array.from({ length: count }, (_, i) => end - count + i);
    this.#columns = this.#makeRoom(
      counts.map(([columns]) => columns!),
      (head) => ({ at: 0, entries: upTo(given[head]!.first, given[head]!.first) }),
    );
    this.#diagonals = this.#makeRoom(
      counts.map(([, diagonals]) => diagonals!),
      (head) => ({ at: counts[head]![1]! - given[head]!.last, entries: upTo(tokens, given[head]!.last) }),
    );
    const { ops, memo } = context;
    const looking = patterns.flatMap(({ kind }, head) => (kind === 'vertical-slash' ? [head] : []));
    const { value: scores, owned } =
      looking.length > 0
        ? remembered(memo, `minference/${looks.lastQueries}/${layer}`, () =>
            lastQueryScores(context, prompt, looks.lastQueries),
          )
        : { value: null, owned: [] };
    for (const head of looking) {
      const { first, last } = given[head]!;
      const row = (score: ScoreRows, from: number, length: number): ScoreRows => ({
        ...{ ...score, rows: 1, offset: score.offset + head * score.rowStride + from, length },
      });
      const into = (list: IndexList, from: number, count: number): IndexList => ({
        ...withoutCounts(list),
        ...{ sets: 1, offset: list.offset + head * list.rowStride + from, count },
      });
      const [columns, diagonals] = [counts[head]![0]! - first, counts[head]![1]! - last];
      ops.topK({
        score: row(scores!.vertical, first, tokens - first),
        ...{ count: columns, indexBase: first, out: into(this.#columns.list, first, columns) },
      });
      ops.topK({
        score: row(scores!.slash, 0, tokens - last),
        ...{ count: diagonals, indexBase: 0, out: into(this.#diagonals.list, 0, diagonals) },
      });
    }
    ops.release(...owned);
  }

  /** Columns by head, and diagonals by the key that the prompt's last query sees on them. */
  get lists(): { readonly columns: IndexList; readonly diagonals: IndexList } {
    return { columns: this.#columns.list, diagonals: this.#diagonals.list };
  }

  /** What `queries` queries from token `first` on see, as `Ops.patternLists` leaves it. The caller releases the buffer. */
  shown(prompt: PromptRows, first: number, queries: number, byQuery: boolean): IndexList {
    const { ops } = this.#context;
    const heads = this.#patterns.length;
    const sparse = this.#blockPattern;
    const given = {
      ...{ columns: this.#columns.list, diagonals: this.#diagonals.list, anchor: this.#tokens - 1 },
      ...{ firstQuery: first, queries, byQuery },
      ...(sparse && {
        blocks: {
          list: this.blockLists(prompt, Math.floor(first / sparse.blockTokens)),
          tokens: sparse.blockTokens,
        },
      }),
    };
    const sets = heads * queries;
    const count = longestPattern(given);
    const buffer = ops.scratch('u32', sets * (count + 1), 'keys of patterns');
    const out = { buffer, offset: sets, sets, count, rowStride: count, countsOffset: 0 };
    ops.patternLists({ ...given, out });
    return out;
  }

  /** Blocks by row and head, those of rows before `firstRow` unspecified. */
  blockLists(prompt: PromptRows, firstRow: number): IndexList {
    const pattern = this.#blockPattern!;
    if (this.#blocks && this.#blocks.firstRow <= firstRow) return this.#blocks.list;
    const { ops } = this.#context;
    if (this.#blocks) ops.release(this.#blocks.buffer);
    const heads = this.#patterns.length;
    const blocks = blocksOf(pattern.blockTokens, this.#tokens);
    const topOf = (head: number): number => {
      const own = this.#patterns[head]!;
      return own.kind === 'block-sparse' ? own.topBlocks : 0;
    };
    const counts = Array.from({ length: blocks * heads }, (_, set) =>
      Math.min(topOf(set % heads), 1 + Math.floor(set / heads)),
    );
    const room = this.#makeRoom(counts);
    const { score, buffer } = blockScores(ops, prompt, pattern.blockTokens, firstRow);
    const rows = blocks - firstRow;
    const { list } = room;
    for (let row = firstRow; row < blocks; row++) {
      // Heads with the same number of blocks are chosen for together.
      for (let head = 0, end: number; head < heads; head = end) {
        end = head + 1;
        while (end < heads && topOf(end) === topOf(head)) end++;
        ops.topK({
          score: {
            ...{ ...score, rows: end - head, length: row + 1, rowStride: rows * score.rowStride },
            offset: score.offset + (head * rows + row - firstRow) * score.rowStride,
          },
          ...{ count: counts[row * heads + head]!, indexBase: 0 },
          out: {
            ...withoutCounts(list),
            offset: list.offset + (row * heads + head) * list.rowStride,
            ...{ sets: end - head, count: counts[row * heads + head]! },
          },
        });
      }
    }
    ops.release(buffer);
    this.#blocks = { ...room, firstRow };
    return list;
  }

  get #blockPattern(): BlockSparse | undefined {
    return this.#patterns.find((pattern): pattern is BlockSparse => pattern.kind === 'block-sparse');
  }

  release(): void {
    this.#context.ops.release(this.#columns.buffer, this.#diagonals.buffer);
    if (this.#blocks) this.#context.ops.release(this.#blocks.buffer);
    this.#blocks = null;
  }

  /** Room for lists of so many entries each, with those that are known. */
  #makeRoom(
    counts: readonly number[],
    known?: (set: number) => { readonly at: number; readonly entries: readonly number[] },
  ): Ragged {
    const [sets, count] = [counts.length, Math.max(0, ...counts)];
    const data = new Uint32Array(sets * (count + 1));
    data.set(counts);
    for (let set = 0; known && set < sets; set++) {
      const { at, entries } = known(set);
      data.set(entries, sets + set * count + at);
    }
    const buffer = this.#context.ops.upload(data, 'lists of a pattern');
    return { buffer, list: { buffer, offset: sets, sets, count, rowStride: count, countsOffset: 0 } };
  }
}

function withoutCounts({ countsOffset: _, ...list }: IndexList): IndexList {
  return list;
}
