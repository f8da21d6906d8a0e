/** What a method costs by formula (docs/measurements.md, "Cost, by formula"). */
import { studyBlocks } from '../methods/blocks';
import type { Method, QueryBlock } from '../methods/method';
import type { ParameterContext, Parameters } from '../methods/parameters';
import type { CostMeasurement } from './results';
import { countedQueries } from './trace-run';

/** Caches hold 32-bit floats. */
const BYTES_PER_NUMBER = 4;

/**
 * Operations of attention over one key, all heads of a layer: 2·d for the logit, 2·d for the value, 3 for the softmax per head
 * (ESA, arXiv 2502.14477, App. A: 4·d_H + 3·H).
 */
export function operationsPerKey({ queryHeads, headDimension }: ParameterContext): number {
  return queryHeads * (4 * headDimension + 3);
}

export interface CostRequest {
  readonly method: Method;
  readonly parameters: Parameters;
  readonly context: ParameterContext;
  readonly queries: { readonly start: number; readonly end: number };
  /** First token of the answer, whose tokens are blocks of their own; null: the text has none. */
  readonly answerStart: number | null;
  /** Where methods that evict once do so; where `queries` begin by default. */
  readonly evictAt?: number;
  readonly weightOperations: number;
  readonly layers?: readonly number[];
  /** Layers that see a window by themselves, and of how many tokens: their cost is the window's with every method. None by default. */
  readonly windows?: ReadonlyMap<number, number>;
}

/**
 * Means over `queries`, summed over `layers` (all by default); `onceOperations` are the text's. A query at token i has i + 1 causal keys. `weightOperations`: those of one token's
 * forward pass outside attention, two per weight of every matrix it is multiplied with.
 */
export function measureCost(request: CostRequest): CostMeasurement {
  const { method, parameters, context, answerStart, weightOperations } = request;
  const queries = countedQueries(method.traits(parameters), request.queries, answerStart);
  const layers = request.layers ?? Array.from({ length: context.layers }, (_, layer) => layer);
  const evictAt = request.evictAt ?? request.queries.start;
  const places = { tokens: context.tokens, evictAt, answerStart };
  const fixed = { evictAt, promptEnd: answerStart ?? context.tokens };
  const perKey = operationsPerKey(context);
  const numbersPerKey = 2 * context.keyValueHeads * context.headDimension;
  const blocks = studyBlocks(method, parameters, places, context);
  let density = 0;
  let visible = 0;
  let kept = 0;
  let selection = 0;
  let read = 0;
  const paper = { full: 0, method: 0 };
  for (const { block, position } of placesOf(blocks, queries)) {
    for (const layer of layers) {
      const window = request.windows?.get(layer);
      if (window !== undefined) {
        const seen = Math.min(window, position + 1);
        density += 1;
        visible += seen;
        kept += seen;
        read += numbersPerKey * seen;
        if (method.paperCost) {
          paper.full += perKey * seen;
          paper.method += perKey * seen;
        }
        continue;
      }
      const cost = method.cost(parameters, context, layer, { position, block, ...fixed });
      density += cost.keptKeys / (position + 1);
      visible += position + 1;
      kept += cost.keptKeys;
      selection += cost.selectionOperations;
      const alone = { position, block: { start: position, end: position + 1 }, ...fixed };
      read += method.cost(parameters, context, layer, alone).readNumbers;
      const counted = method.paperCost?.(parameters, context, layer, { position, block, ...fixed });
      paper.full += counted?.full ?? 0;
      paper.method += counted?.method ?? 0;
    }
  }
  const onceOperations = layers
    .filter((layer) => !request.windows?.has(layer))
    .reduce((sum, layer) => sum + (method.onceOperations?.(parameters, context, layer, fixed) ?? 0), 0);
  const count = Math.max(1, queries.end - queries.start);
  const fullAttentionOperations = (perKey * visible) / count;
  const selectionOperations = selection / count;
  const attentionOperations = (perKey * kept) / count;
  return {
    density: density / (count * Math.max(1, layers.length)),
    fullAttentionOperations,
    selectionOperations,
    attentionOperations,
    onceOperations,
    forwardOperationsFull: weightOperations + fullAttentionOperations,
    forwardOperations: weightOperations + selectionOperations + attentionOperations,
    decodeReadBytesFull: (BYTES_PER_NUMBER * numbersPerKey * visible) / count,
    decodeReadBytes: (BYTES_PER_NUMBER * read) / count,
    paperOperations: method.paperCost ? { full: paper.full / count, method: paper.method / count } : null,
  };
}

function* placesOf(
  blocks: readonly QueryBlock[],
  queries: { readonly start: number; readonly end: number },
): Generator<{ block: QueryBlock; position: number }> {
  for (const block of blocks) {
    const end = Math.min(block.end, queries.end);
    for (let position = Math.max(block.start, queries.start); position < end; position++)
      yield { block, position };
  }
}
