import type { IndexList } from '../../arguments';
import { integersOf } from '../../cpu/buffer';
import { listLength } from '../../cpu/lists';
import { checkPatternLists, type PatternListsArguments } from './op';

export function patternLists(a: PatternListsArguments): void {
  checkPatternLists(a);
  const { columns, diagonals, anchor, blocks, firstQuery, queries, out } = a;
  const outData = integersOf(out.buffer);
  const heads = columns.sets;
  // Whom a key was shown to last: every query marks its own.
  const shownTo = new Uint32Array(firstQuery + queries);
  for (let head = 0; head < heads; head++) {
    const ofColumns = entriesOf(columns, head);
    const ofDiagonals = entriesOf(diagonals, head);
    shownTo.fill(0);
    for (let i = 0; i < queries; i++) {
      const query = firstQuery + i;
      const mark = (key: number): void => {
        if (key >= 0 && key <= query) shownTo[key] = i + 1;
      };
      for (const key of ofColumns) mark(key);
      for (const seen of ofDiagonals) mark(seen + query - anchor);
      if (blocks) {
        for (const block of entriesOf(blocks.list, Math.floor(query / blocks.tokens) * heads + head))
          for (let within = 0; within < blocks.tokens; within++) mark(block * blocks.tokens + within);
      }
      const set = a.byQuery ? i * heads + head : head * queries + i;
      const start = out.offset + set * out.rowStride;
      let at = start;
      for (let key = 0; key <= query; key++) if (shownTo[key] === i + 1) outData[at++] = key;
      outData[out.countsOffset! + set] = at - start;
    }
  }
}

function entriesOf(list: IndexList, set: number): Uint32Array {
  const start = list.offset + set * list.rowStride;
  return integersOf(list.buffer).subarray(start, start + listLength('patternLists', list, set));
}
