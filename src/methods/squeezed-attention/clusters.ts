/** The clusters of a text's keys, at one level or two (squeezedattention/clustering.py: run_clustering; offline_clustering.py). */
import { headMajorRows, type Rows, sliceRows } from '../../../gpu/rows';
import { Scratch } from '../../../gpu/scratch';
import { UserError } from '../../base/user-error';
import type { LayerTrace } from '../../trace/trace';
import { neededTensor } from '../injected';
import type { MethodContext } from '../method';
import type { Parameters } from '../parameters';
import { rememberedLater } from '../remember';
import { directionsOf, kMeans } from './k-means';
import { clustersName, isInjected, layersAtOnce, numbersIn } from './schema';

/** Of each KV head. */
export interface Level {
  readonly clusters: number;
  /** [G, n]: of every token, or of every cluster of the level below. */
  readonly labels: Uint32Array;
  /** [G, clusters, d]: means. */
  readonly centroids: Float32Array;
  /** [G, clusters]: keys. */
  readonly counts: Float64Array;
}

export interface LayerClusters {
  readonly fine: Level;
  /** Clusters of the fine ones; null: one level. */
  readonly coarse: Level | null;
}

type ClusterContext = Pick<MethodContext, 'ops' | 'evictAt' | 'injected' | 'memo'>;

/** Keys that are clustered, [G, n, d], off the device. */
interface ReadKeys {
  readonly data: Float32Array;
  readonly directions: Float32Array;
}

const known = new WeakMap<LayerTrace, Map<string, LayerClusters>>();

/** The clusters of these layers, of those that have keys to cluster. Throws the signal's reason. */
export async function clustersOf(
  context: ClusterContext,
  parameters: Parameters,
  layers: readonly LayerTrace[],
  signal?: AbortSignal,
): Promise<Map<number, LayerClusters>> {
  const all = new Map<number, LayerClusters>();
  let waiting: LayerTrace[] = [];
  const make = async (): Promise<void> => {
    const made = await cluster(context, parameters, waiting, signal);
    for (const [i, source] of waiting.entries()) {
      const ofText = known.get(source) ?? new Map<string, LayerClusters>();
      known.set(source, ofText.set(clustersName(parameters, source.layer, context.evictAt), made[i]!));
      all.set(source.layer, made[i]!);
    }
    waiting = [];
  };
  for (const source of layers) {
    const { clustered } = numbersIn(parameters, source.layer, context.evictAt);
    if (clustered === 0) continue;
    const found = known.get(source)?.get(clustersName(parameters, source.layer, context.evictAt));
    if (found) {
      all.set(source.layer, found);
      continue;
    }
    waiting.push(source);
    if (waiting.length >= layersAtOnce(source.key.heads * clustered * source.key.channels)) await make();
  }
  if (waiting.length > 0) await make();
  return all;
}

async function cluster(
  context: ClusterContext,
  parameters: Parameters,
  layers: readonly LayerTrace[],
  signal?: AbortSignal,
): Promise<LayerClusters[]> {
  const { ops, evictAt } = context;
  const scratch = new Scratch(ops);
  try {
    const numbers = layers.map(({ layer }) => numbersIn(parameters, layer, evictAt));
    const keys = layers.map(({ key }, i) => dense(scratch, sliceRows(key, 0, numbers[i]!.clustered)));
    const read = await Promise.all(keys.map((rows, i) => readKeys(context, rows, layers[i]!.layer, signal)));
    const injected = isInjected(parameters);
    const labels = injected
      ? layers.map(({ layer }) => injectedLabels(context, parameters, layer))
      : await kMeans(
          ops,
          keys.map((rows, i) => {
            const { clusters, seed } = numbers[i]!;
            const { directions } = read[i]!;
            return { rows, directions, clusters, seed: seed + layers[i]!.layer };
          }),
          signal,
        );
    const fine = keys.map((rows, i) => levelOf(rows, read[i]!.data, labels[i]!, numbers[i]!.clusters, null));
    const two = layers.flatMap((_, i) => (numbers[i]!.coarseClusters > 0 ? [i] : []));
    const points = two.map((i) => {
      const { centroids, clusters } = fine[i]!;
      const { heads, channels } = keys[i]!;
      const buffer = scratch.upload(centroids, 'centroids');
      const { coarseClusters, seed } = numbers[i]!;
      const rows = headMajorRows(buffer, heads, clusters, channels);
      const directions = directionsOf(centroids, channels);
      return { rows, directions, clusters: coarseClusters, seed: seed + layers[i]!.layer };
    });
    const coarseLabels = injected
      ? two.map((i) => injectedCoarseLabels(context, parameters, layers[i]!.layer))
      : await kMeans(ops, points, signal);
    return fine.map((level, i) => {
      const at = two.indexOf(i);
      if (at < 0) return { fine: level, coarse: null };
      const { rows, clusters } = points[at]!;
      return {
        fine: level,
        coarse: levelOf(rows, level.centroids, coarseLabels[at]!, clusters, level.counts),
      };
    });
  } finally {
    scratch.release();
  }
}

/** What `rows` are, whatever number of clusters is asked for. */
function readKeys(
  { ops, memo }: ClusterContext,
  rows: Rows,
  layer: number,
  signal: AbortSignal | undefined,
): Promise<ReadKeys> {
  const read = async (): Promise<ReadKeys> => {
    const data = await ops.readFloats(rows.buffer);
    return { data, directions: directionsOf(data, rows.channels) };
  };
  const bytes = 8 * rows.heads * rows.rows * rows.channels;
  return rememberedLater(memo, `squeezed/keys/${layer}/${rows.rows}`, bytes, read, signal);
}

/** Means of rows by cluster, and how many keys are in each: a row stands for one, or for so many as `weights` says; for none it does not count. */
function levelOf(
  { heads, rows, channels }: Rows,
  data: Float32Array,
  labels: Uint32Array,
  clusters: number,
  weights: Float64Array | null,
): Level {
  const sums = new Float64Array(heads * clusters * channels);
  const members = new Float64Array(heads * clusters);
  const counts = new Float64Array(heads * clusters);
  for (let row = 0; row < heads * rows; row++) {
    const weight = weights ? weights[row]! : 1;
    if (weight === 0) continue;
    const at = Math.floor(row / rows) * clusters + labels[row]!;
    counts[at]! += weight;
    members[at]! += 1;
    for (let i = 0; i < channels; i++) sums[at * channels + i]! += data[row * channels + i]!;
  }
  const centroids = new Float32Array(sums.length);
  for (let i = 0; i < sums.length; i++)
    centroids[i] = sums[i]! / Math.max(1, members[Math.floor(i / channels)]!);
  return { clusters, labels, centroids, counts };
}

function injectedLabels(
  { evictAt, ...context }: Pick<MethodContext, 'evictAt' | 'injected'>,
  parameters: Parameters,
  layer: number,
): Uint32Array {
  const { clustered, clusters } = numbersIn(parameters, layer, evictAt);
  const what = 'tokens before the observation window';
  return checked(context, 'cluster_labels', layer, { points: clustered, what, clusters });
}

function injectedCoarseLabels(
  { evictAt, ...context }: Pick<MethodContext, 'evictAt' | 'injected'>,
  parameters: Parameters,
  layer: number,
): Uint32Array {
  const { clusters, coarseClusters } = numbersIn(parameters, layer, evictAt);
  return checked(context, 'coarse_labels', layer, {
    points: clusters,
    what: 'clusters',
    clusters: coarseClusters,
  });
}

function checked(
  context: Pick<MethodContext, 'injected'>,
  name: 'cluster_labels' | 'coarse_labels',
  layer: number,
  { points, what, clusters }: { readonly points: number; readonly what: string; readonly clusters: number },
): Uint32Array {
  const { shape, values } = neededTensor('squeezed-attention', context, name, layer);
  if (shape[1] !== points) {
    throw new UserError(
      `squeezed-attention: ${name}.${layer} of the capture has ${shape[1]} labels for each head, but there are ${points} ${what}.`,
    );
  }
  const largest = values.reduce((most, label) => Math.max(most, label), 0);
  if (largest >= clusters) {
    throw new UserError(
      `squeezed-attention: ${name}.${layer} of the capture has a label ${largest}, but there are ${clusters} clusters, counted from 0.`,
    );
  }
  return Uint32Array.from(values);
}

/** Without gaps, as it is read. */
function dense(scratch: Scratch, view: Rows): Rows {
  const { heads, rows, channels } = view;
  const out = scratch.rows(heads, rows, channels, 'keys of a context');
  scratch.ops.copyRows({ input: view, out });
  return out;
}
