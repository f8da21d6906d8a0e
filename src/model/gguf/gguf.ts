/** A model that is one GGUF file, or several shards of one, in the terms of a folder: what config.json, tokenizer.json and the weights would be. */
import { quote } from '../../base/quote';
import { UserError } from '../../base/user-error';
import type { FileBytes } from '../files/file-bytes';
import type { TensorSource } from '../files/tensor-source';
import { ROPE_FACTORS, ROPE_FACTORS_LONG, ROPE_FACTORS_SHORT } from './architecture';
import { ggufArchitectures } from './architectures';
import { readGgufHeader } from './header';
import { type RopeScaling, scalingOfFactors } from './rope-factors';
import { GgufSettings } from './settings';
import { ggufTensors, type PlacedTensor, readValues } from './tensors';
import { type TokenizerSettings, tokenizerSettings } from './tokenizer-settings';

/** Half of the channels of a head. */
const MOST_FACTORS = 512;

export interface GgufModel {
  /** As config.json has them. */
  readonly config: Record<string, unknown>;
  /** Null where the file has no tokenizer. UserError for one of a kind that is not read: the model can then still read token ids. */
  tokenizer(): TokenizerSettings | null;
  /** Under transformers' names. UserError for a tensor of a type that is not read. */
  weights(): TensorSource;
}

/**
 * Reads and checks the headers; `files` are the shards in their order. UserError, one sentence, for a damaged file and for an architecture
 * that is not read.
 */
export async function openGguf(files: readonly FileBytes[], signal?: AbortSignal): Promise<GgufModel> {
  const [first] = files;
  if (!first) throw new UserError('There is no GGUF file.');
  const headers = await Promise.all(files.map((file) => readGgufHeader(file, signal)));
  const tensors = new Map<string, PlacedTensor>();
  headers.forEach((header, index) => {
    const file = files[index]!;
    for (const [name, tensor] of header.tensors) {
      if (tensors.has(name))
        throw new UserError(`${file.name} has tensor ${quote(name)} of another shard, too.`);
      tensors.set(name, { ...tensor, file });
    }
  });
  const settings = new GgufSettings(headers[0]!.metadata, tensors, first.name);
  checkShards(settings, files, tensors.size);
  const architecture =
    ggufArchitectures.get(settings.architecture) ??
    settings.refuse(
      `holds a model of architecture ${quote(settings.architecture, 40)}, which is not read; ` +
        `supported are ${[...ggufArchitectures.keys()].join(', ')}`,
    );
  const config = architecture.config(settings);
  const scaling = await ropeScaling(tensors, settings, Number(config.rope_theta));
  if (scaling) config.rope_scaling = scaling;
  return {
    config,
    tokenizer: () => tokenizerSettings(settings),
    weights: () => ggufTensors(tensors, architecture, settings),
  };
}

function checkShards(settings: GgufSettings, files: readonly FileBytes[], tensors: number): void {
  const count = settings.number('split.count') ?? 1;
  const asked = settings.number('split.tensors.count') ?? tensors;
  if ((settings.number('split.no') ?? 0) !== 0)
    settings.refuse('is not the first of its shards: name that one');
  if (Math.max(count, 1) !== files.length)
    settings.refuse(`is one of ${count} shards, and ${files.length} are there: all have to be`);
  if (asked !== tensors) settings.refuse(`and its shards hold ${tensors} tensors instead of ${asked}`);
}

/** RoPE as tensors have it, which are small and belong to the settings. */
async function ropeScaling(
  tensors: ReadonlyMap<string, PlacedTensor>,
  settings: GgufSettings,
  theta: number,
): Promise<RopeScaling | undefined> {
  const valuesOf = async (name: string): Promise<number[] | null> => {
    const tensor = tensors.get(name);
    if (!tensor) return null;
    if (!tensor.type.decode || tensor.shape.length !== 1 || tensor.shape[0]! > MOST_FACTORS)
      return settings.refuse(`has a tensor ${name} that is no list of divisors: it is damaged`);
    return Array.from(await readValues(tensor));
  };
  const [same, long, short] = await Promise.all(
    [ROPE_FACTORS, ROPE_FACTORS_LONG, ROPE_FACTORS_SHORT].map(valuesOf),
  );
  if (same) return scalingOfFactors(same, theta);
  if (!long || !short) return undefined;
  const attention = settings.optional('rope.scaling.attn_factor');
  return {
    rope_type: 'longrope',
    ...{ long_factor: long, short_factor: short },
    ...(attention === null ? {} : { attention_factor: attention }),
  };
}
