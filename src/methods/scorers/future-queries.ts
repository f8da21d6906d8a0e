/** Where the queries to come are expected: those that were read, rotated as the next positions rotate them, on average. */
import type { Rows } from '../../../gpu/rows';
import { sliceRows } from '../../../gpu/rows';
import type { Scratch } from '../../../gpu/scratch';
import { rotaryFrequencies, rotaryScale } from '../../model/decoder/rope';
import { mostTokens, scaledDefault } from '../defaults';
import type { LayerInput, MethodContext, Wants } from '../method';
import { numberIn, type ParameterSchemas, type Parameters } from '../parameters';

export const futureParameters: ParameterSchemas = {
  futurePositions: {
    kind: 'count',
    label: 'Positions ahead',
    symbol: 'F',
    help: 'Positions after the eviction whose mean rotation stands for where queries will be. kvpress calls it n_future_positions, 512 by default.',
    unit: 'tokens',
    minimum: 1,
    maximum: mostTokens,
    ...scaledDefault(8, 32, 512),
  },
  sinkTokens: {
    kind: 'count',
    label: 'Sink tokens',
    help: 'First tokens, which stay, and of whose queries nothing is learnt. kvpress calls it n_sink, 4 by default.',
    unit: 'tokens',
    minimum: 0,
    maximum: mostTokens,
    default: () => 4,
  },
};

/** Candidates where the first `sinkTokens` stay; a budget that they alone exceed drops some of these, too. */
export function afterSinks(parameters: Parameters, layer: number, tokens: number, count: number) {
  const sinks = Math.min(numberIn(parameters, 'sinkTokens', layer), tokens);
  return { start: count >= sinks ? sinks : 0, end: tokens };
}

/** All queries before the eviction, before rotation. */
export const queriesRead: Wants = {
  unrotated: true,
  queriesBefore: Number.POSITIVE_INFINITY,
  earlierUnrotated: true,
};

/** Queries of tokens [first, tokens) at the mean rotation R̄ of positions tokens … tokens + F − 1, [H, n, d]. */
export function futureQueries(
  scratch: Scratch,
  { ropeOf, headDimension, positionOffset, totalTokens }: MethodContext,
  input: LayerInput,
  first: number,
  tokens: number,
  futurePositions: number,
): Rows {
  const read = input.queriesBefore(tokens);
  if (!read) throw new Error('expected queries are made of the queries before the eviction');
  const query = sliceRows(read, first, tokens - first);
  const rope = ropeOf(input.layer);
  if (!rope) return query;
  const frequencies = rotaryFrequencies(rope, headDimension, positionOffset + totalTokens);
  const scale = rotaryScale(rope) / futurePositions;
  const [cosine, sine] = [new Float64Array(frequencies.length), new Float64Array(frequencies.length)];
  for (let position = tokens; position < tokens + futurePositions; position++) {
    for (const [j, frequency] of frequencies.entries()) {
      const angle = (positionOffset + position) * frequency;
      cosine[j]! += Math.cos(angle) * scale;
      sine[j]! += Math.sin(angle) * scale;
    }
  }
  const out = scratch.rows(query.heads, query.rows, query.channels, 'queries to come');
  scratch.ops.rotate({
    input: query,
    table: {
      cosine: scratch.upload(Float32Array.from(cosine), 'mean cosine'),
      sine: scratch.upload(Float32Array.from(sine), 'mean sine'),
      ...{ positions: 1, frequencies: frequencies.length, scale: 1 },
    },
    positions: { start: 0, step: 0 },
    out,
  });
  return out;
}
