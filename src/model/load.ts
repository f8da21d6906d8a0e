import { ignoreRejection } from '../base/ignore-rejection';
import { quote } from '../base/quote';
import { UserError } from '../base/user-error';
import { type ModelConfig, parseConfig } from './architectures/config';
import { CALIBRATION_FILE, type Calibration, readCalibration } from './calibration';
import { digestFiles } from './files/digest';
import { bytesInMemory, type FileBytes, readAll } from './files/file-bytes';
import { parseJsonFile } from './files/json-file';
import { openSafetensors, readSafetensors } from './files/safetensors';
import { parseShardIndex, SHARD_INDEX_FILE, shardedSource } from './files/safetensors-shards';
import type { TensorSource } from './files/tensor-source';
import { type FolderTokenizer, readFolderTokenizer } from './tokenizer/folder-tokenizer';

/** A model in Hugging Face layout, wherever its files are. */
export interface ModelFolder {
  readonly name: string;
  /** A file in the folder; null if there is none of that name. UserError if it cannot be read. */
  open(path: string, options?: ReadOptions): Promise<FileBytes | null>;
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
  /** In an order that does not change. */
  files: FileBytes[];
}

/**
 * Reads and checks all of a model but its weights' names and shapes (readWeights does that): first what is small, then the weights.
 * UserError, one sentence, for a missing or damaged file.
 */
export async function loadModel(folder: ModelFolder, options: LoadOptions = {}): Promise<LoadedModel> {
  const small = ['config.json', 'tokenizer.json', 'tokenizer_config.json', CALIBRATION_FILE];
  const [configBytes, tokenizerBytes, settingsBytes, calibrationBytes] = await Promise.all(
    small.map((path) => readWhole(folder, path, options)),
  );
  if (!configBytes) throw new UserError(`${folder.name} is no model folder: it has no config.json.`);
  const config = parseConfig(parseJsonFile(configBytes, 'config.json'));
  const head: ModelHead = {
    name: folder.name,
    config,
    ...readFolderTokenizer(folder.name, tokenizerBytes ?? null, settingsBytes ?? null, config),
    calibration: calibrationBytes
      ? readCalibration(readSafetensors(calibrationBytes, CALIBRATION_FILE), config)
      : null,
  };
  await options.beforeWeights?.(head);
  options.signal?.throwIfAborted();
  const weights = await folder.open('model.safetensors', options);
  const { source, files } = weights
    ? { source: await openSafetensors(weights, options), files: [weights] }
    : await openShards(folder, options);
  const digest = ignoreRejection(
    digestFiles([bytesInMemory('config.json', configBytes), ...files], options.signal),
  );
  return { ...head, source, digest };
}

async function readWhole(
  folder: ModelFolder,
  path: string,
  options: ReadOptions,
): Promise<Uint8Array<ArrayBuffer> | null> {
  const file = await folder.open(path, options);
  return file && readAll(file, options.signal);
}

async function openShards(folder: ModelFolder, options: ReadOptions): Promise<Weights> {
  const indexBytes = await readWhole(folder, SHARD_INDEX_FILE, options);
  if (indexBytes === null) {
    throw new UserError(
      `${folder.name} has neither model.safetensors nor ${SHARD_INDEX_FILE}; other formats are not read.`,
    );
  }
  const index = parseShardIndex(parseJsonFile(indexBytes, SHARD_INDEX_FILE));
  const names = [...new Set(index.values())].sort();
  const files = await Promise.all(
    names.map(async (name) => {
      const file = await folder.open(name, options);
      if (!file) throw new UserError(`${folder.name} lacks ${quote(name)}, which its index names.`);
      return file;
    }),
  );
  const opened = await Promise.all(files.map((file) => openSafetensors(file, options)));
  return { source: shardedSource(index, new Map(opened.map((shard, i) => [names[i]!, shard]))), files };
}
