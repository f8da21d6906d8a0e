import { UserError } from '../user-error';
import { type Calibration, calibrationFile, readCalibration } from './calibration';
import { type ModelConfig, parseConfig } from './config';
import { digestParts } from './digest';
import { readSafetensors } from './safetensors';
import { parseShardIndex, shardedSource, shardIndexFile } from './safetensors-shards';
import type { TensorSource } from './tensor-source';
import { loadTokenizer, type Tokenizer } from './tokenizer';

/** A model in Hugging Face layout, wherever its files are. */
export interface ModelFolder {
  readonly name: string;
  /** The bytes of a file in the folder; null if there is none of that name. UserError if it cannot be read. */
  read(path: string): Promise<Uint8Array<ArrayBuffer> | null>;
}

export interface LoadedModel {
  name: string;
  config: ModelConfig;
  source: TensorSource;
  /** Null where the folder has no tokenizer.json. */
  tokenizer: Tokenizer | null;
  /** Of config.json and the weights; see digestParts. */
  digest: string;
  calibration: Calibration | null;
}

interface Weights {
  source: TensorSource;
  /** The files' bytes, in an order that does not change. */
  parts: Uint8Array<ArrayBuffer>[];
}

/**
 * Reads and checks all of a model but its weights' names and shapes (readWeights does that). UserError, one sentence, for
 * a missing or damaged file.
 */
export async function loadModel(folder: ModelFolder): Promise<LoadedModel> {
  const [configBytes, weightBytes, tokenizerJson, tokenizerConfig, calibrationBytes] = await Promise.all([
    folder.read('config.json'),
    folder.read('model.safetensors'),
    readJson(folder, 'tokenizer.json'),
    readJson(folder, 'tokenizer_config.json'),
    folder.read(calibrationFile),
  ]);
  if (!configBytes) throw new UserError(`${folder.name} is no model folder: it has no config.json.`);
  const config = parseConfig(parseJson(configBytes, 'config.json'));
  const { source, parts } = weightBytes
    ? { source: readSafetensors(weightBytes, 'model.safetensors'), parts: [weightBytes] }
    : await readShards(folder);
  return {
    name: folder.name,
    config,
    source,
    tokenizer:
      tokenizerJson === null ? null : loadTokenizer(tokenizerJson, tokenizerConfig ?? undefined, config),
    digest: await digestParts([configBytes, ...parts]),
    calibration:
      calibrationBytes && readCalibration(readSafetensors(calibrationBytes, calibrationFile), config),
  };
}

async function readShards(folder: ModelFolder): Promise<Weights> {
  const json = await readJson(folder, shardIndexFile);
  if (json === null) {
    throw new UserError(
      `${folder.name} has neither model.safetensors nor ${shardIndexFile}; other formats are not read.`,
    );
  }
  const index = parseShardIndex(json);
  const names = [...new Set(index.values())].sort();
  const shards = await Promise.all(
    names.map(async (name) => {
      const bytes = await folder.read(name);
      if (!bytes) throw new UserError(`${folder.name} lacks ${name}, which its index names.`);
      return { name, bytes };
    }),
  );
  const files = new Map(shards.map(({ name, bytes }) => [name, readSafetensors(bytes, name)]));
  return { source: shardedSource(index, files), parts: shards.map(({ bytes }) => bytes) };
}

async function readJson(folder: ModelFolder, path: string): Promise<unknown> {
  const bytes = await folder.read(path);
  return bytes === null ? null : parseJson(bytes, path);
}

function parseJson(bytes: Uint8Array, path: string): unknown {
  try {
    return JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes));
  } catch {
    throw new UserError(`${path} is not JSON: it is damaged or another file.`);
  }
}
