/**
 * Self-Extend (Jin et al., arXiv 2401.01325): every key stays; those near a query stand at their distances, those beyond share
 * positions in groups of `groupSize`, so that no distance exceeds the trained length. Without training.
 */
import type { RowScalars } from '../../gpu/ops';
import { type DeviceBuffer, headMajorRows, type Rows } from '../../gpu/rows';
import { Scratch } from '../../gpu/scratch';
import { UserError } from '../base/user-error';
import { equalBlocks } from './blocks';
import { chunkTokensDefault, mostTokens, scaledDefault } from './defaults';
import { attendEachFarAndNear, attendFarAndNear } from './far-and-near';
import { costOfEverything, everythingOnly, keepEverything } from './keep-everything';
import type {
  EachQuery,
  FarRows,
  LayerInput,
  Method,
  MethodContext,
  MethodRun,
  QueryBlock,
  ScoreMemo,
  Selection,
  UnrotatedInput,
  VisibleOfEach,
} from './method';
import { numberIn, type ParameterContext, type Parameters } from './parameters';
import { inBuffers, ownMemo } from './remember';

export const groupedPositions: Method = {
  id: 'grouped-positions',
  title: 'Grouped positions',
  summary:
    'Every key stays; far keys share positions in groups, so that no distance exceeds the trained length.',
  citation: {
    authors: 'Jin, Han, Yang, Jiang, Liu, Chang, Chen, Hu',
    year: 2024,
    url: 'https://arxiv.org/abs/2401.01325',
  },
  presets: { paper: { from: 'paper' } },
  parameters: {
    neighborTokens: {
      kind: 'count',
      label: 'Neighbours',
      symbol: 'w_n',
      help: 'Distances below this one stay as they are, counted from a block’s first query.',
      unit: 'tokens',
      minimum: 1,
      maximum: mostTokens,
      ...scaledDefault(8, 64, { times: 1, over: 4 }),
      paper: 1024,
    },
    groupSize: {
      kind: 'count',
      label: 'Group',
      symbol: 'G_s',
      help: 'Far tokens that share one position.',
      unit: 'tokens',
      minimum: 1,
      maximum: mostTokens,
      default: smallestGroup,
      defaultRule: 'the least whose distances fit N',
      paper: 8,
    },
    chunkTokens: {
      kind: 'count',
      label: 'Block',
      help: 'Queries that are read at a time; 1 counts neighbours from every query, as the paper does.',
      unit: 'tokens',
      minimum: 1,
      maximum: mostTokens,
      ...chunkTokensDefault,
      // All layers read a block together.
      isSameInAllLayers: true,
    },
  },
  traits: (parameters) => ({
    ...{ decides: 'never', evicts: false, isNested: false, approximates: false },
    ...{ sets: 'layer', cache: 'tokens', positions: { own: JSON.stringify(parameters) } },
    wants: { unrotated: true },
  }),
  notes: () => [
    'All keys, untuned: the model was not trained for shared positions.',
    'Neighbours are counted from the first query of a block; in the paper from every query. The answer is read token by token, where both are the same.',
  ],
  blocks: (parameters, tokens) => equalBlocks(0, tokens, numberIn(parameters, 'chunkTokens', 0)),
  start: (context, parameters) => new GroupedRun(context, parameters),
  cost: costOfEverything,
  memory: (_parameters, { tokens, queryHeads, keyValueHeads, headDimension: d, largestBlock }) => [
    { label: 'keys at grouped positions', elements: tokens * keyValueHeads * d, count: 1 },
    { label: 'queries and their attention to far tokens', elements: largestBlock * queryHeads * d, count: 2 },
    { label: 'grouped positions', elements: tokens, count: 2 },
  ],
  withBudget: everythingOnly,
};

/** The smallest group with which the text's first key is nearer to its last query than the trained length. */
function smallestGroup({ tokens, trainedTokens }: ParameterContext, { neighborTokens }: Parameters): number {
  const near = Math.max(...[neighborTokens as number | number[]].flat());
  const trained = trainedTokens ?? tokens;
  for (let group = 1; group < tokens; group++) {
    if (farPosition(tokens - 1, group, near) < trained) return group;
  }
  return Math.max(1, tokens);
}

/** Where a query stands that sees far keys, which stand at ⌊t / group⌋: as if neighbours and groups met without a gap (Alg. 1). */
function farPosition(query: number, group: number, neighbours: number): number {
  return Math.floor(query / group) + neighbours - Math.floor(neighbours / group);
}

class GroupedRun implements MethodRun {
  readonly #context: MethodContext;
  readonly #parameters: Parameters;
  readonly #own = ownMemo();
  readonly #memo: ScoreMemo;

  constructor(context: MethodContext, parameters: Parameters) {
    const layers = Array.from({ length: context.layers }, (_, layer) => layer);
    if (!layers.some(context.rotationOf)) {
      throw new UserError('grouped-positions needs rotary positions, which this source does not have.');
    }
    this.#context = context;
    this.#parameters = parameters;
    this.#memo = context.memo ?? this.#own;
  }

  select({ layer, block }: LayerInput): Selection {
    return this.#selection(layer, block);
  }

  #selection(layer: number, block: QueryBlock): Selection {
    const count = this.farEnd(layer, block);
    if (count === 0) return keepEverything(block.start);
    const buffer = this.#tokens(Math.max(count, this.#context.totalTokens));
    return {
      ...{ list: { buffer, offset: 0, sets: 1, count, rowStride: count }, rangeStart: count },
      ...{ candidates: { start: 0, end: count }, score: null, tiedAtCut: null },
      ...{ decidedBy: 'nothing', owned: [] },
    };
  }

  /** A list that is not made for one selection alone. */
  readonly each: EachQuery = {
    select: ({ layer, block: { start, end } }) =>
      equalBlocks(start, end, 1).map((block) => this.#selection(layer, block)),
  };

  /** 0, 1, 2, … */
  #tokens(count: number): DeviceBuffer {
    const { ops } = this.#context;
    return this.#memo.get(`grouped-positions/tokens/${count}`, () => {
      const tokens = Uint32Array.from({ length: count }, (_, token) => token);
      const buffer = ops.upload(tokens, 'far keys');
      return inBuffers(ops, [buffer], { buffer });
    }).buffer;
  }

  attend(input: LayerInput, selection: Selection, out: Rows, logSumExp: RowScalars): void {
    attendFarAndNear(this.#context, (part) => this.farRows(part), input, selection, out, logSumExp);
  }

  attendEach(input: LayerInput, visible: VisibleOfEach, out: Rows, logSumExp: RowScalars): void {
    attendEachFarAndNear(this.#context, (part) => this.farRows(part), input, visible, out, logSumExp);
  }

  farEnd(layer: number, { start }: QueryBlock): number {
    return Math.max(0, start + 1 - numberIn(this.#parameters, 'neighborTokens', layer));
  }

  farRows({ layer, block, queryUnrotated, keyUnrotated }: UnrotatedInput): FarRows {
    if (!queryUnrotated || !keyUnrotated) {
      throw new UserError(
        'grouped-positions needs queries and keys before rotation, which this capture lacks; choose another method.',
      );
    }
    const { ops, rotationOf } = this.#context;
    const table = rotationOf(layer);
    if (!table) return { query: queryUnrotated, key: keyUnrotated, owned: [] };
    const group = numberIn(this.#parameters, 'groupSize', layer);
    const near = numberIn(this.#parameters, 'neighborTokens', layer);
    const scratch = new Scratch(ops);
    const owned: DeviceBuffer[] = [];
    const rotated = (input: Rows, positionOf: (row: number) => number, label: string): Rows => {
      const positions = Uint32Array.from({ length: input.rows }, (_, row) => positionOf(row));
      const indices = scratch.upload(positions, 'grouped positions');
      const buffer = ops.scratch('f32', input.heads * input.rows * input.channels, label);
      owned.push(buffer);
      const out = headMajorRows(buffer, input.heads, input.rows, input.channels);
      ops.rotate({ input, table, positions: { indices, offset: 0 }, out });
      return out;
    };
    const query = rotated(
      queryUnrotated,
      (row) => farPosition(block.start + row, group, near),
      'queries at grouped positions',
    );
    const key = rotated(keyUnrotated, (row) => Math.floor(row / group), 'keys at grouped positions');
    scratch.release();
    return { query, key, owned };
  }

  attendsBy(layer: number): string {
    const { groupSize, neighborTokens } = this.#parameters;
    return JSON.stringify(
      [groupSize, neighborTokens].map((value) => (Array.isArray(value) ? value[layer] : value)),
    );
  }

  mark(): void {}
  rewind(): void {}
  dispose(): void {
    this.#own.release();
  }
}
