import { ignoreRejection } from '../base/ignore-rejection';
import { quote } from '../base/quote';
import { UserError } from '../base/user-error';
import type { ModelConfig } from './architectures/config';
import { parseConfig } from './architectures/parse-config';
import { CALIBRATION_FILE, type Calibration, readCalibration } from './calibration';
import { digestFiles } from './files/digest';
import { bytesInMemory, type FileBytes, readAll } from './files/file-bytes';
import { parseJsonFile } from './files/json-file';
import { openSafetensors, readSafetensors } from './files/safetensors';
import { parseShardIndex, SHARD_INDEX_FILE, shardedSource } from './files/safetensors-shards';
import type { TensorSource } from './files/tensor-source';
import { type FolderTokenizer, readFolderTokenizer, readTokenizer } from './tokenizer/folder-tokenizer';

/** A model in Hugging Face layout, wherever its files are. */
export interface ModelFolder {
  readonly name: string;
  /** A file in the folder; null if there is none of that name. UserError if it cannot be read. */
  open(path: string, options?: ReadOptions): Promise<FileBytes | null>;
  /** The GGUF file that is asked for where there is no config.json, or its shards in their order; null or nothing: there is none. */
  gguf?(options?: ReadOptions): Promise<readonly FileBytes[] | null>;
}

/** A model that is a GGUF file, or the shards of one in their order. */
export function ggufFolder(name: string, files: readonly FileBytes[]): ModelFolder {
  return { name, open: async () => null, gguf: async () => files };
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
  /** Of config.json and the weight files, or of the GGUF files; see digestFiles. It is made beside other work. */
  digest: Promise<string>;
}

export interface LoadOptions extends ReadOptions {
  /** Hears all but the weights before a byte of them is asked for; what it throws ends the loading. */
  readonly beforeWeights?: (head: ModelHead) => void | Promise<void>;
}

interface Weights {
  source: TensorSource;
  /** What the digest is of, in an order that does not change. */
  files: FileBytes[];
}

/**
 * Reads and checks all of a model but its weights' names and shapes (readWeights does that): first what is small, then the weights.
 * UserError, one sentence, for a missing or damaged file.
 */
export async function loadModel(folder: ModelFolder, options: LoadOptions = {}): Promise<LoadedModel> {
  const configBytes = await readWhole(folder, 'config.json', options);
  const { config, tokenizer, weights } = configBytes
    ? await openFolder(folder, configBytes, options)
    : await openGgufFiles(folder, options);
  const calibrationBytes = await readWhole(folder, CALIBRATION_FILE, options);
  const head: ModelHead = {
    name: folder.name,
    config,
    ...tokenizer,
    calibration: calibrationBytes
      ? readCalibration(readSafetensors(calibrationBytes, CALIBRATION_FILE), config)
      : null,
  };
  await options.beforeWeights?.(head);
  options.signal?.throwIfAborted();
  const { source, files } = await weights();
  const digest = ignoreRejection(digestFiles(files, options.signal));
  return { ...head, source, digest };
}

/** What is small, and how to have the weights. */
interface Opened {
  config: ModelConfig;
  tokenizer: FolderTokenizer;
  weights(): Promise<Weights>;
}

async function openFolder(
  folder: ModelFolder,
  configBytes: Uint8Array<ArrayBuffer>,
  options: ReadOptions,
): Promise<Opened> {
  const tokenizerBytes = await Promise.all(
    ['tokenizer.json', 'tokenizer_config.json', 'chat_template.jinja'].map((path) =>
      readWhole(folder, path, options),
    ),
  );
  const config = await parseConfig(parseJsonFile(configBytes, 'config.json'));
  return {
    config,
    tokenizer: readFolderTokenizer(folder.name, tokenizerBytes, config),
    async weights() {
      const whole = await folder.open('model.safetensors', options);
      const { source, files } = whole
        ? { source: await openSafetensors(whole, options), files: [whole] }
        : await openShards(folder, options);
      return { source, files: [bytesInMemory('config.json', configBytes), ...files] };
    },
  };
}

async function openGgufFiles(folder: ModelFolder, options: ReadOptions): Promise<Opened> {
  const files = await folder.gguf?.(options);
  if (!files) {
    const norGguf = folder.gguf ? ' and no GGUF file' : '';
    throw new UserError(`${folder.name} is no model folder: it has no config.json${norGguf}.`);
  }
  const { openGguf } = await import('./gguf/gguf');
  const model = await openGguf(files, options.signal);
  const config = await parseConfig(model.config);
  return {
    config,
    tokenizer: readTokenizer(
      `${folder.name} has no tokenizer, so it cannot read text.`,
      model.tokenizer,
      config,
    ),
    weights: async () => ({ source: model.weights(), files: [...files] }),
  };
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
