import type { ModelFolder, ReadOptions } from '../load';
import { bytesOfBlob } from './file-bytes';

/** Fetches one file of a folder; null where there is none. UserError, one sentence, where it cannot be had. */
export type FetchFile = (path: string, address: string, options: ReadOptions) => Promise<Blob | null>;

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
      const blob = address === null ? null : await fetchFile(path, address, options);
      return blob && bytesOfBlob(path, blob);
    },
  };
}
