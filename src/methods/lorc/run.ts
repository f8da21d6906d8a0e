/** LoRC's run: factors of W_K and W_V cut to the ranks of their layers, and full attention over the keys and values that they make. */
import type { Ops } from '../../../gpu/ops';
import { type DeviceBuffer, matrixRows } from '../../../gpu/rows';
import { UserError } from '../../base/user-error';
import type { DeviceLinear } from '../../model/decoder/buffers';
import type { KeyValueMaps } from '../../model/decoder/project';
import { keepEverything } from '../keep-everything';
import type { MethodContext, MethodRun, Spectra } from '../method';
import type { Parameters } from '../parameters';
import { followsCondition, plannedRanks, type Ranks, rankBounds, rankByCondition } from './schema';
import { partsOf } from './spectra';
import type { SingularParts } from './truncated-svd';

interface LayerParts {
  readonly key: SingularParts;
  readonly value: SingularParts;
}

export function startLorc(context: MethodContext, parameters: Parameters): MethodRun {
  const { ops, layers, projection } = context;
  const owned: DeviceBuffer[] = [];
  let parts: readonly LayerParts[] = [];
  let ranks: readonly Ranks[] = [];
  let maps: readonly KeyValueMaps[] = [];
  const notices: string[] = [];

  return {
    notices,
    async prepare(_recorded, signal) {
      if (!projection) {
        throw new UserError(
          'lorc needs the weights W_K and W_V, which a capture does not have; choose another method or run the model.',
        );
      }
      const made: LayerParts[] = [];
      for (let layer = 0; layer < layers; layer++) {
        const own = projection.maps(layer);
        const of = (map: DeviceLinear, name: string): Promise<SingularParts> => {
          const refusal = `lorc: the singular values of ${name} of layer ${layer} could not be computed (one does not settle); choose another method.`;
          return partsOf(ops, map, refusal, signal);
        };
        made.push({ key: await of(own.key, 'W_K'), value: await of(own.value, 'W_V') });
      }
      parts = made;
      ranks = await ranksOf(parameters, made);
      if (followsCondition(parameters)) {
        const list = ranks.map(({ key }) => key).join(', ');
        notices.push(`Ranks by layer, by condition numbers of W_K and W_V: ${list}.`);
      }
      maps = made.map(({ key, value }, layer): KeyValueMaps => {
        const own = projection.maps(layer);
        return {
          key: cut(ops, own.key, key, ranks[layer]!.key, owned),
          value: cut(ops, own.value, value, ranks[layer]!.value, owned),
        };
      });
    },
    keyValueMaps: (layer) => maps[layer]!,
    spectra(layer): Spectra {
      const { key, value } = parts[layer]!;
      return {
        key: { values: [...key.values], rank: ranks[layer]!.key },
        value: { values: [...value.values], rank: ranks[layer]!.value },
      };
    },
    select: ({ block }) => keepEverything(block.start),
    mark() {},
    rewind() {},
    dispose() {
      ops.release(...owned.splice(0));
    },
  };
}

async function ranksOf(parameters: Parameters, parts: readonly LayerParts[]): Promise<Ranks[]> {
  if (!followsCondition(parameters))
    return parts.map((_, layer) => plannedRanks(parameters, parts.length, layer));
  const { conditionNumber } = await import('./truncated-svd');
  const conditions = parts.map(
    ({ key, value }) => conditionNumber(key.values) * conditionNumber(value.values),
  );
  return parts.map((_, layer) => {
    const rank = rankByCondition(conditions, layer, rankBounds(parameters, layer));
    return { key: rank, value: rank };
  });
}

/** `map` in two steps, through as many channels as `rank`; at full rank the map itself. */
function cut(
  ops: Ops,
  map: DeviceLinear,
  { left, right }: SingularParts,
  rank: number,
  owned: DeviceBuffer[],
): DeviceLinear {
  const { rows: outputs, channels: inputs } = map.weight;
  if (rank >= outputs) return map;
  const expanding = new Float32Array(outputs * rank);
  for (let i = 0; i < rank; i++) {
    for (let row = 0; row < outputs; row++) expanding[row * rank + i] = left[i * outputs + row]!;
  }
  const weight = ops.upload(expanding, 'factor from latents');
  const first = ops.upload(right.slice(0, rank * inputs), 'factor to latents');
  owned.push(weight, first);
  return { ...map, weight: matrixRows(weight, outputs, rank), first: matrixRows(first, rank, inputs) };
}
