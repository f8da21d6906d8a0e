/**
 * Rotary positions of a model stretched for texts beyond its trained length, without training: what full attention can do there.
 * `linear`: position / s (Chen et al., arXiv 2306.15595). `ntk`: θ · s^(d/(d−2)) (NTK-aware, as transformers' dynamic kind has it at a
 * fixed factor). `yarn`: long waves divided by s, short ones kept, logits sharpened (Peng et al., arXiv 2309.00071).
 */
import type { RotationTable } from '../../gpu/ops';
import { Scratch } from '../../gpu/scratch';
import { UserError } from '../base/user-error';
import { createRotationTable } from '../model/decoder/buffers';
import type { Rope } from '../model/decoder/rope';
import type { FarRows, MethodContext, UnrotatedInput } from './method';

export type Stretch = 'linear' | 'ntk' | 'yarn';

/** β_fast, β_slow and the sharpening 0.1 ln s + 1 as in YaRN, section 3.2 and 3.4. */
const BETA_FAST = 32;
const BETA_SLOW = 1;

/** `rope` stretched by `factor` ≥ 1. Throws UserError for positions that are stretched already. */
function stretchRope(
  rope: Rope,
  stretch: Stretch,
  factor: number,
  { headDimension, trainedTokens }: Pick<MethodContext, 'headDimension' | 'trainedTokens'>,
): Rope {
  if (rope.kind !== 'default') {
    throw new UserError(
      `full: the model's own positions are stretched already (${rope.kind}); choose rope "model".`,
    );
  }
  const { theta, ...kept } = { ...rope, kind: undefined };
  const channels = rope.rotatedChannels ?? headDimension;
  switch (stretch) {
    case 'linear':
      return { ...kept, kind: 'linear', theta, factor };
    case 'ntk':
      return { ...kept, kind: 'default', theta: theta * factor ** (channels / Math.max(1, channels - 2)) };
    case 'yarn':
      if (trainedTokens === null) {
        throw new UserError(
          'full: yarn needs the trained length, which this capture does not say (trained_tokens).',
        );
      }
      return {
        ...{ ...kept, kind: 'yarn', theta, factor, originalTokens: trainedTokens, truncate: true },
        ...{ betaFast: BETA_FAST, betaSlow: BETA_SLOW, attentionFactor: 0.1 * Math.log(factor) + 1 },
      };
  }
}

/**
 * Queries and keys at the positions of `table`, which has one for each of the keys; null: of a layer without positions. The caller
 * releases `owned`.
 */
export function rotatedBy(
  { ops }: Pick<MethodContext, 'ops'>,
  table: RotationTable | null,
  input: UnrotatedInput,
): FarRows {
  const { block, queryUnrotated, keyUnrotated } = input;
  if (!queryUnrotated || !keyUnrotated) {
    throw new UserError(
      'full: stretched positions need queries and keys before rotation, which this capture lacks; choose rope "model".',
    );
  }
  if (!table) return { query: queryUnrotated, key: keyUnrotated, owned: [] };
  const scratch = new Scratch(ops);
  const place = ({ heads, rows, channels }: typeof queryUnrotated, label: string) =>
    scratch.rows(heads, rows, channels, label);
  const query = place(queryUnrotated, 'queries at stretched positions');
  const key = place(keyUnrotated, 'keys at stretched positions');
  ops.rotate({ input: queryUnrotated, table, positions: { start: block.start, step: 1 }, out: query });
  ops.rotate({ input: keyUnrotated, table, positions: { start: 0, step: 1 }, out: key });
  return { query, key, owned: [query.buffer, key.buffer] };
}

/** Rotation tables of a run, one for each factor and kind of layer, as long as the text has become. */
export class StretchedTables {
  readonly #context: MethodContext;
  readonly #stretch: Stretch;
  readonly #tables = new Map<Rope, Map<number, RotationTable>>();

  constructor(context: MethodContext, stretch: Stretch) {
    this.#context = context;
    this.#stretch = stretch;
  }

  /** At least `positions` of them. Null: the layer has no positions, which other layers have. */
  of(layer: number, factor: number, positions: number): RotationTable | null {
    const { ops, ropeOf, headDimension, totalTokens, layers } = this.#context;
    const rope = ropeOf(layer);
    if (!rope) {
      if (Array.from({ length: layers }, (_, other) => other).some(ropeOf)) return null;
      throw new UserError('full: this source has no rotary positions that are known; choose rope "model".');
    }
    const tables = this.#tables.get(rope) ?? new Map<number, RotationTable>();
    this.#tables.set(rope, tables);
    const known = tables.get(factor);
    if (known && known.positions >= positions) return known;
    if (known) ops.release(known.cosine, known.sine);
    const stretched = stretchRope(rope, this.#stretch, factor, this.#context);
    const room = positions <= totalTokens ? totalTokens : 2 * positions;
    const table = createRotationTable(ops, stretched, headDimension, room, totalTokens);
    tables.set(factor, table);
    return table;
  }

  release(): void {
    for (const tables of this.#tables.values())
      for (const { cosine, sine } of tables.values()) this.#context.ops.release(cosine, sine);
    this.#tables.clear();
  }
}
