/** Head scores that are found on the text itself; fetched when a run finds them. */
import { type Rows, sliceRows } from '../../../gpu/rows';
import { Scratch } from '../../../gpu/scratch';
import { UserError } from '../../base/user-error';
import { rotaryFrequencies, rotaryScale } from '../../model/decoder/rope';
import type { MethodContext } from '../method';
import type { NumberTable } from '../parameters';
import { meanRow } from '../scorers/rows';

/** Positions over which mean query and mean key are compared: q_len of kvpress's duo_attention_on_the_fly. */
const POSITIONS = 500;

/**
 * Scores of every KV head, as kvpress finds them without training (duo_attention_press.py, duo_attention_on_the_fly), of the tokens
 * before the eviction: were every query the mean query and every key the mean key, which share of the last query's attention lies
 * before a position, on average over positions. Near 1: far back; near 0: at the query itself.
 */
export async function scoresOnTheFly(context: MethodContext): Promise<NumberTable> {
  const { ops, recorded, layers, evictAt, queryHeads: H, keyValueHeads: G, headDimension: d } = context;
  if (!recorded || recorded.length < layers) {
    throw new UserError(
      `duo-attention: without headScores it finds scores in the text of all ${layers} layers, which this source does not have; give headScores.`,
    );
  }
  const scratch = new Scratch(ops);
  try {
    const read: Promise<[Float32Array, Float32Array]>[] = recorded.map(({ queryUnrotated, keyUnrotated }) => {
      const mean = (rows: Rows, label: string): Promise<Float32Array> =>
        ops.readFloats(meanRow(scratch, sliceRows(rows, 0, evictAt), label).buffer);
      return Promise.all([mean(queryUnrotated!, 'mean query'), mean(keyUnrotated!, 'mean key')]);
    });
    return (await Promise.all(read)).map(([queries, keys], layer) => {
      const scoreHead = areaBefore(context, layer);
      const ofHead = Array.from({ length: H }, (_, head) => {
        const group = Math.floor((head * G) / H);
        return scoreHead(
          queries.subarray(head * d, (head + 1) * d),
          keys.subarray(group * d, (group + 1) * d),
        );
      });
      const perGroup = H / G;
      return Array.from({ length: G }, (_, group) => {
        const own = ofHead.slice(group * perGroup, (group + 1) * perGroup);
        const score = own.reduce((sum, value) => sum + value, 0) / perGroup;
        if (Number.isFinite(score)) return score;
        throw new UserError(`duo-attention: the score of KV head ${group} of layer ${layer} is not finite.`);
      });
    });
  } finally {
    scratch.release();
  }
}

/** The area under the cumulated attention of a last query over keys that are all alike, 1/n to 1 for n positions. */
function areaBefore(
  { ropeOf, headDimension: d, scores, totalTokens }: MethodContext,
  layer: number,
): (query: Float32Array, key: Float32Array) => number {
  const rope = ropeOf(layer);
  const frequencies = rope ? rotaryFrequencies(rope, d, totalTokens) : new Float64Array(d / 2);
  const scale = scores.scale * (rope ? rotaryScale(rope) ** 2 : 1);
  const turns = Array.from({ length: POSITIONS }, (_, distance) => ({
    cosine: frequencies.map((frequency) => Math.cos(distance * frequency)),
    sine: frequencies.map((frequency) => Math.sin(distance * frequency)),
  }));
  return (query, key) => {
    // Channels that are not rotated add the same to all logits.
    const half = frequencies.length;
    const along = new Float64Array(half);
    const across = new Float64Array(half);
    for (let j = 0; j < half; j++) {
      const [a, b, c, e] = [query[j]!, query[j + half]!, key[j]!, key[j + half]!];
      along[j] = a * c + b * e;
      across[j] = a * e - b * c;
    }
    const logits = turns.map(({ cosine, sine }) => {
      let sum = 0;
      for (let j = 0; j < half; j++) sum += along[j]! * cosine[j]! + across[j]! * sine[j]!;
      return sum * scale;
    });
    const largest = logits.reduce((most, logit) => Math.max(most, logit), Number.NEGATIVE_INFINITY);
    const weights = logits.map((logit) => Math.exp(logit - largest));
    const sum = weights.reduce((total, weight) => total + weight, 0);
    // A key at distance δ is counted at its own position and at the δ after it.
    return weights.reduce((area, weight, distance) => area + weight * (distance + 1), 0) / (sum * POSITIONS);
  };
}
