/** A run of MInference: layers' patterns, chosen when the first query of a layer asks. */
import type { IndexList } from '../../../gpu/ops';
import type { DeviceBuffer } from '../../../gpu/rows';
import { UserError } from '../../base/user-error';
import { keepEverything } from '../keep-everything';
import type { LayerInput, MethodContext, MethodRun, PatternFinding, PromptRows, Selection } from '../method';
import type { Parameters } from '../parameters';
import { numberIn } from '../parameters';
import { promptOf } from '../prompt';
import { LayerPatterns } from './layer-patterns';
import { nameOfPattern, type Pattern, ruleOfPattern } from './patterns';
import { candidatesIn, isSearched, looksIn, patternIn } from './schema';
import { bestOf, retainedMass } from './search';

/** Queries whose lists a free run makes at once. */
export const QUERIES_AT_ONCE = 64;

interface Found {
  readonly candidates: readonly Pattern[];
  readonly masses: readonly (readonly number[])[];
}

export function startMInference(context: MethodContext, parameters: Parameters): MethodRun {
  const { ops, queryHeads, memo, promptEnd } = context;
  const layers = new Map<number, LayerPatterns>();
  const found = new Map<number, Found>();
  /** In a free run: what consecutive queries of a layer see. A probe run's selections own their lists. */
  let ahead: { layer: number; first: number; end: number; list: IndexList } | null = null;

  const patternsOf = (layer: number): readonly Pattern[] => {
    const searched = found.get(layer);
    if (!searched) return new Array<Pattern>(queryHeads).fill(patternIn(parameters, layer));
    return searched.masses.map((masses) => searched.candidates[bestOf(masses)]!);
  };
  const shownIn = (input: LayerInput, prompt: PromptRows): LayerPatterns => {
    const { layer } = input;
    const known = layers.get(layer);
    if (known) return known;
    const patterns = new LayerPatterns(context, layer, prompt, patternsOf(layer), looksIn(parameters, layer));
    layers.set(layer, patterns);
    return patterns;
  };
  /** Of query i of those in a list. */
  const seenBy = (list: IndexList, token: number, i: number, owned: readonly DeviceBuffer[]): Selection => ({
    list: {
      ...{ ...list, sets: queryHeads, offset: list.offset + i * queryHeads * list.rowStride },
      countsOffset: list.countsOffset! + i * queryHeads,
    },
    rangeStart: token + 1,
    // No key competes with another: patterns are chosen.
    ...{ candidates: { start: token + 1, end: token + 1 }, score: null, tiedAtCut: null },
    ...{ decidedBy: 'pattern', owned },
  });
  const select = (input: LayerInput): Selection => {
    const { layer, block } = input;
    const { start, end } = block;
    const prompt = start < promptEnd && start < end ? input.prompt() : null;
    if (!prompt) return keepEverything(start, start >= promptEnd ? 'dense-after' : undefined);
    if (memo) {
      const list = shownIn(input, prompt).shown(prompt, start, 1, true);
      return seenBy(list, start, 0, [list.buffer]);
    }
    if (ahead?.layer !== layer || start < ahead.first || start >= ahead.end) {
      if (ahead) ops.release(ahead.list.buffer);
      const queries = Math.min(QUERIES_AT_ONCE, promptEnd - start);
      const list = shownIn(input, prompt).shown(prompt, start, queries, true);
      ahead = { layer, first: start, end: start + queries, list };
    }
    return seenBy(ahead.list, start, start - ahead.first, []);
  };
  return {
    select,
    each: {
      select(input) {
        const { start, end } = input.block;
        const last = Math.min(end, promptEnd);
        const prompt = start < last ? input.prompt() : null;
        if (!prompt) return null;
        const list = shownIn(input, prompt).shown(prompt, start, last - start, true);
        return Array.from({ length: end - start }, (_, i) =>
          start + i < last
            ? seenBy(list, start + i, i, i === 0 ? [list.buffer] : [])
            : keepEverything(start + i, 'dense-after'),
        );
      },
    },
    ...(isSearched(parameters) && {
      async prepare(layerTraces, signal) {
        if (!layerTraces)
          throw new UserError(
            'minference searches patterns by full attention over the text, which was not read; choose a pattern.',
          );
        for (const { layer, query, key, value } of layerTraces) {
          const prompt = promptOf({ query, key, value }, promptEnd);
          if (!prompt) continue;
          const candidates = candidatesIn(parameters, layer, promptEnd);
          const firstQuery = numberIn(parameters, 'firstQuery', layer);
          const looks = looksIn(parameters, layer);
          // What is remembered for others is not cancelled with this run.
          const search = () =>
            retainedMass(context, layer, prompt, candidates, looks, firstQuery, memo ? undefined : signal);
          const name = `minference/search/${layer}/${JSON.stringify([candidates, looks, firstQuery])}`;
          const masses = await (memo ? memo.get(name, () => remembering(search())).masses : search());
          signal?.throwIfAborted();
          found.set(layer, { candidates, masses });
        }
      },
      patterns: (layer): PatternFinding => {
        const { candidates, masses } = found.get(layer)!;
        return {
          candidates: candidates.map(nameOfPattern),
          heads: masses.map((ofHead) => ({ chosen: bestOf(ofHead), masses: ofHead })),
        };
      },
    }),
    ruleOf(layer, head) {
      const pattern = patternsOf(layer)[head]!;
      return `its head reads the prompt by ${nameOfPattern(pattern)}: ${ruleOfPattern(pattern)}`;
    },
    mark() {},
    rewind() {},
    dispose() {
      for (const patterns of layers.values()) patterns.release();
      if (ahead) ops.release(ahead.list.buffer);
      layers.clear();
      ahead = null;
    },
  };
}

const remembering = (masses: Promise<number[][]>) => ({ masses, bytes: 4096, release() {} });
