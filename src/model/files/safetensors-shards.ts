import * as z from 'zod/mini';
import { quote } from '../../base/quote';
import { UserError } from '../../base/user-error';
import type { TensorSource } from './tensor-source';

/** The file that says which shard holds which tensor. */
export const SHARD_INDEX_FILE = 'model.safetensors.index.json';

const MOST_SHARDS = 1000;
/** Shards lie beside the index or in folders there: a name that could lead elsewhere is not followed. */
function isInside(path: string): boolean {
  const isPlain = /^[^\\/:?#%\p{Cc}][^\\:?#%\p{Cc}]*\.safetensors$/u.test(path) && path.length <= 200;
  return isPlain && path.split('/').every((part) => part !== '' && part !== '.' && part !== '..');
}

const schema = z.object({ weight_map: z.record(z.string(), z.string()) });

/** A checked `model.safetensors.index.json`: the shard file of each tensor. UserError if it is not one. */
export function parseShardIndex(value: unknown): Map<string, string> {
  const parsed = schema.safeParse(value);
  if (!parsed.success) {
    throw new UserError(`${SHARD_INDEX_FILE} must hold a weight_map from tensor names to file names.`);
  }
  const shards = new Map(Object.entries(parsed.data.weight_map));
  for (const file of shards.values()) {
    if (!isInside(file)) {
      throw new UserError(
        `${SHARD_INDEX_FILE} names ${quote(file)}, which is not a safetensors file beside it.`,
      );
    }
  }
  if (new Set(shards.values()).size > MOST_SHARDS) {
    throw new UserError(`${SHARD_INDEX_FILE} names more than ${MOST_SHARDS} files.`);
  }
  return shards;
}

/** The shards as one source. UserError if a shard or a tensor that the index names is missing. */
export function shardedSource(index: Map<string, string>, files: Map<string, TensorSource>): TensorSource {
  for (const [name, file] of index) {
    const shard = files.get(file);
    if (!shard)
      throw new UserError(`The model's weights lack the file ${quote(file)} that their index names.`);
    if (!shard.has(name))
      throw new UserError(`${quote(file)} lacks tensor ${quote(name)} that the index places there.`);
  }
  // An index may leave out a tensor that a shard has.
  const places = new Map(index);
  for (const [file, shard] of files)
    for (const name of shard.names()) if (!places.has(name)) places.set(name, file);
  const shardOf = (name: string): TensorSource => {
    const shard = files.get(places.get(name) ?? '');
    if (!shard) throw new UserError(`The model's weights have no tensor ${quote(name)}.`);
    return shard;
  };
  return {
    names: () => [...places.keys()],
    has: (name) => places.has(name),
    shape: (name) => shardOf(name).shape(name),
    type: (name) => shardOf(name).type(name),
    float32: (name) => shardOf(name).float32(name),
    int32: (name) => shardOf(name).int32(name),
  };
}
