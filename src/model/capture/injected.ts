import { UserError } from '../../base/user-error';
import { shapeText, type TensorSource } from '../files/tensor-source';

/** What a capture may bring beside queries, keys and values, for methods that otherwise draw or cluster it themselves. */
interface InjectedValues {
  /** [G, d, k]: random directions, divided by √k. */
  readonly sketch: Float32Array;
  /** [G, n]: the cluster of each of the first n tokens. */
  readonly cluster_labels: Int32Array;
  /** [G, c]: the coarse cluster of each of c clusters. */
  readonly coarse_labels: Int32Array;
}

export type InjectedName = keyof InjectedValues;

/** One layer's. */
export interface InjectedTensor<Name extends InjectedName = InjectedName> {
  readonly shape: readonly number[];
  readonly values: InjectedValues[Name];
}

export interface InjectedSizes {
  readonly tokens: number;
  readonly queryHeads: number;
  readonly keyValueHeads: number;
  readonly headDimension: number;
}

/** A layer's tensor of that name; null where there is none. */
export type Injected = <Name extends InjectedName>(name: Name, layer: number) => InjectedTensor<Name> | null;

const names: readonly InjectedName[] = ['sketch', 'cluster_labels', 'coarse_labels'];

/**
 * Reads all of them, which are small beside queries and keys, as methods do not wait. UserError if the shape or the values of one
 * are not what they should be.
 */
export async function readAllInjected(
  file: TensorSource,
  layers: readonly number[],
  sizes: InjectedSizes,
): Promise<Injected> {
  const found = new Map<string, InjectedTensor>();
  for (const layer of layers) {
    for (const name of names) {
      if (file.has(`${name}.${layer}`)) found.set(`${name}.${layer}`, await read(file, name, layer, sizes));
    }
  }
  return <Name extends InjectedName>(name: Name, layer: number) =>
    (found.get(`${name}.${layer}`) as InjectedTensor<Name> | undefined) ?? null;
}

async function read<Name extends InjectedName>(
  file: TensorSource,
  name: Name,
  layer: number,
  { tokens, keyValueHeads: G, headDimension: d }: InjectedSizes,
): Promise<InjectedTensor<Name>> {
  const tensor = `${name}.${layer}`;
  const shape = file.shape(tensor);
  const fits = {
    sketch: shape.length === 3 && shape[1] === d,
    cluster_labels: shape.length === 2 && shape[1]! <= tokens,
    coarse_labels: shape.length === 2,
  }[name];
  if (!fits || shape[0] !== G || shape.includes(0)) {
    const wanted = {
      sketch: `[${G}, ${d}, directions]`,
      cluster_labels: `[${G}, at most ${tokens} tokens]`,
      coarse_labels: `[${G}, clusters]`,
    }[name];
    throw new UserError(`The capture's ${tensor} has shape ${shapeText(shape)} instead of ${wanted}.`);
  }
  const values = name === 'sketch' ? await file.float32(tensor) : await file.int32(tensor);
  const wrong = values.findIndex((value: number) =>
    name === 'sketch' ? !Number.isFinite(value) : value < 0,
  );
  if (wrong >= 0) {
    const rule = name === 'sketch' ? 'all values must be finite' : 'labels count from 0';
    throw new UserError(`The capture's ${tensor} holds ${values[wrong]} at place ${wrong}; ${rule}.`);
  }
  return { shape, values: values as InjectedValues[Name] };
}
