import { ignoreRejection } from '../base/ignore-rejection';
import { quote } from '../base/quote';
import { UserError } from '../base/user-error';
import { type ModelConfig, parseConfig } from './architectures/config';
import { CALIBRATION_FILE, type Calibration, readCalibration } from './calibration';
import { digestParts } from './files/digest';
import { parseJsonFile } from './files/json-file';
import { readSafetensors } from './files/safetensors';
import { parseShardIndex, SHARD_INDEX_FILE, shardedSource } from './files/safetensors-shards';
import type { TensorSource } from './files/tensor-source';
import { type FolderTokenizer, readFolderTokenizer } from './tokenizer/folder-tokenizer';

/** A model in Hugging Face layout, wherever its files are. */
export interface ModelFolder {
  readonly name: string;
  /** The bytes of a file in the folder; null if there is none of that name. UserError if it cannot be read. */
  read(path: string, options?: ReadOptions): Promise<Uint8Array<ArrayBuffer> | null>;
}

export interface ReadOptions {
  /** Ends the reading; the promise is rejected with its reason. */
  readonly signal?: AbortSignal;
  /** Most bytes of the folder's files together, where they come over a network. */
  readonly limitBytes?: number;
}

/** What is known of a model before its weights are read. */
export interface ModelHead extends FolderTokenizer {
  name: string;
  config: ModelConfig;
  calibration: Calibration | null;
}

export interface LoadedModel extends ModelHead {
  source: TensorSource;
  /** Of config.json and the weights; see digestParts. It is made beside other work. */
  digest: Promise<string>;
}

export interface LoadOptions extends ReadOptions {
  /** Hears all but the weights before a byte of them is asked for; what it throws ends the loading. */
  readonly beforeWeights?: (head: ModelHead) => void | Promise<void>;
}

interface Weights {
  source: TensorSource;
  /** The files' bytes, in an order that does not change. */
  parts: Uint8Array<ArrayBuffer>[];
}

/**
 * Reads and checks all of a model but its weights' names and shapes (readWeights does that): first what is small, then the weights.
 * UserError, one sentence, for a missing or damaged file.
 */
export async function loadModel(folder: ModelFolder, options: LoadOptions = {}): Promise<LoadedModel> {
  const [configBytes, tokenizerBytes, settingsBytes, calibrationBytes] = await Promise.all([
    folder.read('config.json', options),
    folder.read('tokenizer.json', options),
    folder.read('tokenizer_config.json', options),
    folder.read(CALIBRATION_FILE, options),
  ]);
  if (!configBytes) throw new UserError(`${folder.name} is no model folder: it has no config.json.`);
  const config = parseConfig(parseJsonFile(configBytes, 'config.json'));
  const head: ModelHead = {
    name: folder.name,
    config,
    ...readFolderTokenizer(folder.name, tokenizerBytes, settingsBytes, config),
    calibration:
      calibrationBytes && readCalibration(readSafetensors(calibrationBytes, CALIBRATION_FILE), config),
  };
  await options.beforeWeights?.(head);
  options.signal?.throwIfAborted();
  const weightBytes = await folder.read('model.safetensors', options);
  const { source, parts } = weightBytes
    ? { source: readSafetensors(weightBytes, 'model.safetensors'), parts: [weightBytes] }
    : await readShards(folder, options);
  const digest = ignoreRejection(digestParts([configBytes, ...parts]));
  return { ...head, source, digest };
}

async function readShards(folder: ModelFolder, options: ReadOptions): Promise<Weights> {
  const indexBytes = await folder.read(SHARD_INDEX_FILE, options);
  if (indexBytes === null) {
    throw new UserError(
      `${folder.name} has neither model.safetensors nor ${SHARD_INDEX_FILE}; other formats are not read.`,
    );
  }
  const index = parseShardIndex(parseJsonFile(indexBytes, SHARD_INDEX_FILE));
  const names = [...new Set(index.values())].sort();
  const shards = await Promise.all(
    names.map(async (name) => {
      const bytes = await folder.read(name, options);
      if (!bytes) throw new UserError(`${folder.name} lacks ${quote(name)}, which its index names.`);
      return { name, bytes };
    }),
  );
  const files = new Map(shards.map(({ name, bytes }) => [name, readSafetensors(bytes, name)]));
  return { source: shardedSource(index, files), parts: shards.map(({ bytes }) => bytes) };
}
