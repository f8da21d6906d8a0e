import { quote } from '../../base/quote';
import { UserError } from '../../base/user-error';
import { shardNames } from '../gguf/shards';
import type { ModelFolder, ReadOptions } from '../load';
import { bytesOfBlob, type FileBytes } from './file-bytes';

export interface FetchedFile {
  readonly blob: Blob;
  /** SHA-256 of it in hexadecimal digits, where it was checked on the way. */
  readonly sha256?: string | null;
}

/** Fetches one file of a folder; null where there is none. UserError, one sentence, where it cannot be had. */
export type FetchFile = (path: string, address: string, options: ReadOptions) => Promise<FetchedFile | null>;

/**
 * A model folder on the network: `files` is its address, or the address of each of its files (as a build renames them).
 * Relative addresses count from the page or worker.
 */
export function httpFolder(
  name: string,
  files: string | Readonly<Record<string, string>>,
  fetchFile: FetchFile,
): ModelFolder {
  const addressOf = (path: string): string | null => {
    if (typeof files !== 'string') return Object.hasOwn(files, path) ? files[path]! : null;
    return `${files.replace(/\/*$/, '')}/${path.split('/').map(encodeURIComponent).join('/')}`;
  };
  return {
    name,
    async open(path, options = {}) {
      const address = addressOf(path);
      return address === null ? null : opened(path, await fetchFile(path, address, options));
    },
  };
}

/** A model that lies at no address: its files are asked for by their paths. `gguf`: the path of the GGUF file that it is, if it is one. */
export function namedFolder(name: string, fetchFile: FetchFile, gguf: string | null = null): ModelFolder {
  const open: ModelFolder['open'] = async (path, options = {}) =>
    opened(path, await fetchFile(path, '', options));
  if (gguf === null) return { name, open };
  return {
    name,
    open: async () => null,
    gguf: (options) =>
      Promise.all(
        shardNames(gguf).map(async (path) => {
          const file = await open(path, options);
          if (!file) throw new UserError(`${name} lacks ${quote(path)}.`);
          return file;
        }),
      ),
  };
}

function opened(path: string, file: FetchedFile | null): FileBytes | null {
  return file && bytesOfBlob(path, file.blob, file.sha256 ?? undefined);
}
