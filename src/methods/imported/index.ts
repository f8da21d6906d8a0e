/**
 * A selection that another program computed: its lists as a method, so that they are measured, drawn, explained and compared like
 * any other. A file says what stays of the tokens before S, and later keys are all seen; or what each block sees.
 */
import type { IndexList, Ops } from '../../../gpu/ops';
import type { DeviceBuffer } from '../../../gpu/rows';
import { UserError } from '../../base/user-error';
import { blocksAround, equalBlocks } from '../blocks';
import { defaultChunkTokens } from '../defaults';
import { keepEverything } from '../keep-everything';
import type { Method, MethodContext, MethodRun, QueryBlock, Selection, Traits } from '../method';
import type { ParameterContext } from '../parameters';
import type { ImportedLayer, ImportedSelection, KeptRows } from './selection';

/** What every such id begins with. */
export const IMPORTED_ID = 'imported';

/** Under this id a page or file of results knows the selection: by its content, for there may be several. */
export function importedId({ digest }: Pick<ImportedSelection, 'digest'>): string {
  return `${IMPORTED_ID}-${digest}`;
}

export function isImported(id: string): boolean {
  return id === IMPORTED_ID || id.startsWith(`${IMPORTED_ID}-`);
}

type Heads = Pick<ParameterContext, 'queryHeads' | 'keyValueHeads'>;

/** The method that `selection` is, for a model with so many heads. */
export function importedMethod(
  selection: ImportedSelection,
  { queryHeads, keyValueHeads }: Heads,
  id = importedId(selection),
): Method {
  const { name, blocks, evictedAfter } = selection;
  const sets = setsOf(selection.sets, { queryHeads, keyValueHeads });
  return {
    id,
    title: `Imported: ${name}`,
    summary: `Keeps what the file ${name} lists: computed elsewhere, measured here.`,
    citation: null,
    parameters: {},
    traits: () => ({
      ...(blocks
        ? ({ decides: 'everyBlock', evicts: false } as const)
        : ({ decides: 'once', evicts: true, evictsAt: evictedAfter ?? Infinity } as const)),
      ...{ isNested: false, approximates: false, sets: sets ?? 'layer', cache: 'tokens' },
      ...{ positions: 'model', wants: {} },
    }),
    validate(_parameters, context) {
      checkFit(selection, context);
    },
    notes: () => [
      'Imported: what scoring cost elsewhere is not counted, and attention is at the model’s positions.',
    ],
    blocks(_parameters, tokens, _evictAt, context) {
      const chunk = defaultChunkTokens(context);
      if (!blocks) return blocksAround(evictedAfter ?? context.tokens, tokens, chunk);
      const { start, end } = spanOf(blocks);
      return [
        ...equalBlocks(0, Math.min(start, tokens), chunk),
        ...blocks
          .filter((block) => block.start < tokens)
          .map((block) => ({ start: block.start, end: Math.min(block.end, tokens) })),
        ...equalBlocks(end, tokens, chunk),
      ];
    },
    start: (context) => startRun(selection, context),
    cost(_parameters, { keyValueHeads: groups, headDimension }, layer, { position }) {
      const found = choiceAt(selection, position);
      const rows = found && selection.layers.get(layer)?.kept[found.index];
      const keptKeys = rows ? meanOf(rows.counts) + position + 1 - found.rangeStart : position + 1;
      return {
        keptKeys,
        selectionOperations: 0,
        readNumbers: 2 * groups * headDimension * keptKeys,
      };
    },
    memory(_parameters, { layers }) {
      const lengths = [...selection.layers.values()].flatMap(({ kept, score }) =>
        kept.map(({ tokens, counts }) => tokens.length + counts.length + (score?.values.length ?? 0)),
      );
      return [
        { label: 'imported keys and scores', elements: Math.max(1, ...lengths), count: blocks ? 1 : layers },
      ];
    },
    withBudget(parameters, context, keepFraction) {
      const floor = keptFraction(selection, context.tokens);
      // Rounding apart: a file is within the budget that it was made with.
      return keepFraction >= floor - 1e-9 ? { parameters } : { floor };
    },
  };
}

/** Whom so many sets are for; null: for nobody. */
function setsOf(sets: number, { queryHeads, keyValueHeads }: Heads): Traits['sets'] | null {
  if (sets === 1) return 'layer';
  if (sets === keyValueHeads) return 'kvHead';
  return sets === queryHeads ? 'queryHead' : null;
}

/** Throws UserError where the file cannot be of this text and model. */
function checkFit(
  { name, sets, layers, blocks, evictedAfter }: ImportedSelection,
  context: Pick<ParameterContext, 'tokens' | 'layers' | 'queryHeads' | 'keyValueHeads'>,
): void {
  const { tokens, queryHeads, keyValueHeads } = context;
  if (setsOf(sets, context) === null) {
    throw new UserError(
      `${name} has ${sets} sets of keys a layer; the model takes 1, ${keyValueHeads} (its key-value heads) or ${queryHeads} (its query heads).`,
    );
  }
  const beyond = [...layers.keys()].find((layer) => layer >= context.layers);
  if (beyond !== undefined) {
    throw new UserError(
      `${name} has keys of layer ${beyond}, and the model has ${context.layers} layers: it is of another model.`,
    );
  }
  if (evictedAfter !== null && evictedAfter > tokens) {
    throw new UserError(
      `${name} evicts after ${evictedAfter} tokens, and the text has ${tokens}: it belongs to another text.`,
    );
  }
  if (blocks && spanOf(blocks).end > tokens) {
    throw new UserError(
      `${name} has blocks up to token ${spanOf(blocks).end}, and the text has ${tokens} tokens: it belongs to another text.`,
    );
  }
  for (const [layer, { kept, score, candidates }] of layers) {
    const last = kept.reduce((most, rows) => Math.max(most, lastOf(rows)), 0);
    if (last >= tokens) {
      throw new UserError(
        `${name} lists token ${last} in layer ${layer}, which is out of range: the text has ${tokens} tokens, so it belongs to another text.`,
      );
    }
    if (score && score.length < (evictedAfter ?? tokens)) {
      throw new UserError(
        `${name} has ${score.length} scores in layer ${layer} where ${evictedAfter ?? tokens} tokens need one each: it belongs to another text.`,
      );
    }
    if (candidates && candidates.end > tokens) {
      throw new UserError(
        `${name} has candidates up to token ${candidates.end} in layer ${layer}, and the text has ${tokens} tokens: it belongs to another text.`,
      );
    }
  }
}

function lastOf({ counts, tokens, longest }: KeptRows): number {
  return counts.reduce(
    (last, count, set) => (count > 0 ? Math.max(last, tokens[set * longest + count - 1]!) : last),
    0,
  );
}

function spanOf(blocks: readonly QueryBlock[]): QueryBlock {
  return { start: blocks[0]!.start, end: blocks[blocks.length - 1]!.end };
}

function meanOf(counts: readonly number[]): number {
  return counts.reduce((sum, count) => sum + count, 0) / counts.length;
}

/** Of the tokens before the eviction, or at most of the text before a block: mean over sets and layers. */
function keptFraction({ layers, blocks, evictedAfter }: ImportedSelection, tokens: number): number {
  const means = (at: number): number =>
    meanOf([...layers.values()].map(({ kept }) => meanOf(kept[at]!.counts)));
  if (!blocks) return means(0) / (evictedAfter ?? tokens);
  return Math.max(...blocks.map((_, at) => means(at))) / tokens;
}

/**
 * Which list holds for a query at `position`, and from which token on it sees all; null: it comes before the file decides. What is
 * generated beyond the last block sees what that block does.
 */
function choiceAt(
  { blocks, evictedAfter }: ImportedSelection,
  position: number,
): { readonly index: number; readonly rangeStart: number } | null {
  if (!blocks) {
    return evictedAfter !== null && position >= evictedAfter ? { index: 0, rangeStart: evictedAfter } : null;
  }
  let [low, high] = [0, blocks.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (blocks[middle]!.start <= position) low = middle + 1;
    else high = middle;
  }
  const block = blocks[low - 1];
  if (!block) return null;
  // A query alone in its block sees just its list.
  return { index: low - 1, rangeStart: block.end - block.start === 1 ? block.end : block.start };
}

interface Uploaded {
  readonly list: IndexList | null;
  readonly score: Selection['score'];
  readonly buffers: readonly DeviceBuffer[];
}

function startRun(selection: ImportedSelection, context: MethodContext): MethodRun {
  const { ops, totalTokens: tokens } = context;
  const known = selection.evictedAfter ?? tokens;
  // Without a place of its own the file's eviction is the text's end.
  const placed = selection.blocks ? selection : { ...selection, evictedAfter: known };
  checkFit(selection, { ...context, tokens });
  const held = new Map<number, Uploaded>();
  const layerOf = (layer: number): ImportedLayer => {
    const found = selection.layers.get(layer);
    if (found) return found;
    throw new UserError(`${selection.name} lacks layer ${layer}: it has no kept.${layer}.`);
  };
  return {
    notices: noticesOf(placed, context),
    async prepare(recorded) {
      const asked = recorded
        ? recorded.map(({ layer }) => layer)
        : Array.from({ length: context.layers }, (_, layer) => layer);
      for (const layer of asked) layerOf(layer);
    },
    select({ layer, block }) {
      const own = layerOf(layer);
      const choice = choiceAt(placed, block.start);
      if (!choice) return keepEverything(block.start, selection.blocks ? 'dense-before' : undefined);
      const { index, rangeStart } = choice;
      const isHeld = !selection.blocks;
      const uploaded = (isHeld && held.get(layer)) || upload(ops, own, index);
      if (isHeld) held.set(layer, uploaded);
      return {
        ...{ list: uploaded.list, rangeStart, score: uploaded.score, tiedAtCut: null, decidedBy: 'file' },
        candidates: own.candidates ?? { start: 0, end: Math.min(rangeStart, block.start) },
        owned: isHeld ? [] : uploaded.buffers,
      };
    },
    mark() {},
    rewind() {},
    dispose() {
      for (const { buffers } of held.values()) ops.release(...buffers);
      held.clear();
    },
  };
}

function noticesOf(
  { name, tokens, blocks, evictedAfter }: ImportedSelection,
  { totalTokens, evictAt }: Pick<MethodContext, 'totalTokens' | 'evictAt'>,
): string[] {
  const first = blocks ? spanOf(blocks).start : evictedAfter!;
  const notices: string[] = [];
  const other = ofOtherText({ name, tokens }, totalTokens);
  if (other) notices.push(other);
  if (first >= totalTokens) {
    notices.push(
      `${name} evicts after the last token, so no query stands after it and every query sees every key; to measure it, say where it evicts: in its metadata as evicted_after, which select --evict-after writes.`,
    );
  } else if (evictAt < first) {
    notices.push(
      `Queries before token ${first} come before ${name} drops anything and see every key; let the queries begin at token ${first}.`,
    );
  }
  return notices;
}

/** The sentence about a file that says that it is of another text than one of so many tokens; null: it does not. */
export function ofOtherText(
  { name, tokens }: Pick<ImportedSelection, 'name' | 'tokens'>,
  totalTokens: number,
): string | null {
  if (tokens === null || tokens === totalTokens) return null;
  return `${name} says that it is of another text: its text has ${tokens} tokens and this one ${totalTokens}, so the numbers may mean nothing.`;
}

function upload(ops: Ops, { kept, score }: ImportedLayer, index: number): Uploaded {
  const { counts, tokens, longest } = kept[index]!;
  const buffers: DeviceBuffer[] = [];
  let list: IndexList | null = null;
  if (longest > 0) {
    const lists = new Uint32Array(tokens.length + counts.length);
    lists.set(tokens);
    lists.set(counts, tokens.length);
    const buffer = ops.upload(lists, 'imported keys');
    buffers.push(buffer);
    const isEven = counts.every((count) => count === longest);
    list = {
      ...{ buffer, offset: 0, sets: counts.length, count: longest, rowStride: longest },
      ...(isEven ? {} : { countsOffset: tokens.length }),
    };
  }
  if (!score) return { list, score: null, buffers };
  const buffer = ops.upload(score.values, 'imported scores');
  buffers.push(buffer);
  const rows = { buffer, offset: 0, rows: counts.length, length: score.length, rowStride: score.length };
  return { list, score: { rows, scoreStart: 0 }, buffers };
}
