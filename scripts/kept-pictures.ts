/** What each method keeps of one short text: the method itself, run by the bundled model on the CPU. Data for page and docs. */

import { type CellFate, packTriangle, type Triangle } from '../components/method/kept-cells';
import type { KeptPicture, KeptPictures } from '../components/method/kept-pictures';
import { createCpuOps } from '../gpu/cpu';
import { openModel } from '../src/engine/open-model';
import { choose } from '../src/measure/choices';
import { fatesOf } from '../src/measure/explain-row';
import { Memo } from '../src/measure/memo';
import { KEY_FATES } from '../src/measure/results';
import { readKept } from '../src/measure/selection-reader';
import { contextOf, startTraceRun } from '../src/measure/trace-run';
import { methods } from '../src/methods';
import type { Method } from '../src/methods/method';
import { type ParameterContext, type Parameters, resolveParameters } from '../src/methods/parameters';
import { forward } from '../src/model/decoder/forward';
import { nodeFolder } from '../src/model/files/folder-node';
import { openingHead } from '../src/study/default-study';
import { traceOfSession } from '../src/trace/from-decoder';
import { textRead } from '../src/trace/rereading';
import type { Trace } from '../src/trace/trace';
import { root } from './setup.mjs';

/** Methods that evict once do so where the question begins. */
const CONTEXT = 'The ferry left at noon. Anna hid the key in a box. It rained all day.';
const QUESTION = ' Where is the key? It is in a box.';

/** What budgets keep, in tokens or by a fraction of them. */
const FRACTION = 0.4;

/** Layers that are looked at: the first, one in the middle and the one that the page opens with. */
const LAYERS: readonly number[] = [0, 4, openingHead.layer];

/** Sizes for so short a text, in place of defaults that are larger. */
const SIZES: Readonly<Record<string, number>> = {
  ...{ initTokens: 2, sinkTokens: 2, forcedColumns: 1, forcedDiagonals: 2 },
  ...{ localTokens: 4, recentTokens: 4, windowTokens: 2, observationTokens: 4, lastQueries: 4 },
  ...{ blockTokens: 4, pageTokens: 4, chunkTokens: 8, lagTokens: 8, everyTokens: 8, prefillTokens: 8 },
  ...{
    representativeTokens: 2,
    spikyTokens: 2,
    poolKernel: 3,
    denseLayers: 1,
    neighborTokens: 8,
    lazyThreshold: 0.65,
    beta: 2,
  },
};

/** Runs every method. What is drawn of each: `whatIsDrawn`. */
export async function makeKeptPictures(): Promise<KeptPictures> {
  const model = await openModel(createCpuOps(), nodeFolder(`${root}/samples/model`));
  const { tokenizer, decoder, calibration, facts } = model;
  const evictAt = tokenizer!.encodeText(CONTEXT, null).length;
  const ids = Uint32Array.from(tokenizer!.encodeText(CONTEXT + QUESTION, null));
  const { reader } = await forward(decoder, ids, { keepStates: 'none', keepHidden: true });
  const tokens = ids.length;
  const read = textRead(ids, tokenizer);
  const text = traceOfSession(decoder, reader, { tokens, calibration, read });
  const pictures: Record<string, KeptPicture> = {};
  for (const method of methods) {
    const picture = await pictureOf(method, text, evictAt);
    if (picture) pictures[method.id] = picture;
  }
  text.release();
  return { text: CONTEXT + QUESTION, model: facts.digest, tokens, evictAt, pictures };
}

/** Null where rows of the cache are all tokens still, each with less of it: a triangle of keys would show nothing of that. */
async function pictureOf(method: Method, text: Trace, evictAt: number): Promise<KeptPicture | null> {
  const context = contextOf(text);
  const defaults = resolveParameters(method, {}, context);
  const parameters = smallParameters(method, defaults, context, evictAt);
  const { cache } = method.traits(parameters);
  if (cache === 'transformed' || cache === 'pruned') return null;
  const set = Object.entries(parameters).filter(
    ([name, value]) => JSON.stringify(value) !== JSON.stringify(defaults[name]),
  );
  const drawn = whatIsDrawn(await triangles(method, parameters, text, evictAt));
  return {
    parameters: Object.fromEntries(set),
    heads: drawn.map(({ layer, head, triangle }) => ({ layer, head, cells: packTriangle(triangle) })),
  };
}

function smallParameters(
  method: Method,
  defaults: Parameters,
  context: ParameterContext,
  evictAt: number,
): Parameters {
  const sizes = Object.entries(SIZES).flatMap(([name, size]) => {
    const value = defaults[name];
    return typeof value === 'number' && value > size ? [[name, size]] : [];
  });
  if ('keepFraction' in defaults) sizes.push(['keepFraction', FRACTION]);
  const small = resolveParameters(method, Object.fromEntries(sizes), context);
  const budgetOf = (fraction: number) =>
    method.withBudget(small, context, fraction, { evictAt, answerStart: null });
  const fitted = budgetOf(FRACTION);
  const least = 'floor' in fitted ? budgetOf(fitted.floor) : fitted;
  if (!('parameters' in least)) return small;
  const counts = Object.entries(least.parameters).filter(
    ([name]) => method.parameters[name]?.kind === 'count',
  );
  return { ...small, ...Object.fromEntries(counts) };
}

interface HeadTriangle {
  readonly layer: number;
  /** The first query head that has these keys. */
  readonly head: number;
  readonly triangle: Triangle;
  readonly seen: number;
}

/** What every layer shows to its heads, one of those that share their keys. */
async function triangles(
  method: Method,
  parameters: Parameters,
  text: Trace,
  evictAt: number,
): Promise<HeadTriangle[]> {
  const all: HeadTriangle[] = [];
  const memo = new Memo();
  for (const layerTrace of text.layerTraces.filter(({ layer }) => LAYERS.includes(layer))) {
    const started = await startTraceRun(text, method, parameters, evictAt, { layers: [layerTrace], memo });
    const rows: CellFate[][][] = Array.from({ length: text.queryHeads }, () => []);
    for (const { blocks, selections } of choose(started, layerTrace, started.blocks, undefined)) {
      const shown = await Promise.all(selections.map((selection) => readKept(text.ops, selection)));
      for (const { owned } of selections) text.ops.release(...owned);
      for (const [i, kept] of shown.entries()) {
        const block = blocks[i]!;
        for (const [head, ofHead] of rows.entries()) {
          for (let query = block.start; query < block.end; query++) {
            const request = { text, method, parameters, evictAt, layer: layerTrace.layer, head, query };
            ofHead.push(rowOf(fatesOf(request, started, selections[i]!, kept, block), query));
          }
        }
      }
    }
    started.dispose();
    const packed = rows.map(packTriangle);
    for (const [head, triangle] of rows.entries()) {
      if (packed.indexOf(packed[head]!) < head) continue;
      const seen = triangle.flat().filter((fate) => fate !== 'unseen' && fate !== 'mixed').length;
      all.push({ layer: layerTrace.layer, head, triangle, seen });
    }
  }
  memo.close();
  return all;
}

/** What is chosen, what is seen for its place, and what is not: candidates that a place or a head decides on count as chosen. */
function rowOf({ rule, fates }: ReturnType<typeof fatesOf>, query: number): CellFate[] {
  const isUndecidedChosen = rule.kind === 'place' || rule.kind === 'head';
  return Array.from(fates.subarray(0, query + 1), (code): CellFate => {
    const fate = KEY_FATES[code]!;
    if (fate === 'mixed') return 'mixed';
    if (fate === 'dropped') return 'unseen';
    return fate === 'selected' || (fate === 'undecided' && isUndecidedChosen) ? 'chosen' : 'placed';
  });
}

/**
 * Where heads or layers see more than others, the one with fewest keys and the one with most; otherwise two heads of a layer, or one
 * where all share their keys.
 */
function whatIsDrawn(all: readonly HeadTriangle[]): HeadTriangle[] {
  const bySeen = [...all].sort((a, b) => a.seen - b.seen);
  const [fewest, most] = [bySeen[0]!, bySeen.at(-1)!];
  if (fewest.seen < most.seen) return all.filter((each) => each === fewest || each === most);
  const ofLayer = all.filter(({ layer }) => layer === openingHead.layer);
  return ofLayer.length > 1 ? [ofLayer[0]!, ofLayer.at(-1)!] : ofLayer;
}
