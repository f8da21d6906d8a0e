/** The worker's side of arrival: files are asked of the page, which fetches each once (src/arrival). */

import { UserError } from '../base/user-error';
import type { FetchedFile, FetchFile } from '../model/files/folder-http';
import type { FromWorker, ToWorker } from './protocol';

interface Waiting {
  readonly path: string;
  resolve(file: FetchedFile | null): void;
  reject(reason: unknown): void;
}

export class WorkerFiles {
  readonly #post: (message: FromWorker) => void;
  readonly #waiting = new Map<number, Waiting>();
  #next = 0;

  constructor(post: (message: FromWorker) => void) {
    this.#post = post;
  }

  /** Fetches files of a model, named as studies name it. */
  fetchFor(model: string): FetchFile {
    return async (path, address, { signal, limitBytes = Number.MAX_SAFE_INTEGER }) => {
      signal?.throwIfAborted();
      const id = this.#next++;
      return new Promise<FetchedFile | null>((resolve, reject) => {
        this.#waiting.set(id, { path, resolve, reject });
        signal?.addEventListener('abort', () => {
          this.#waiting.delete(id);
          reject(signal.reason);
        });
        this.#post({ type: 'fetch', id, model, path, address, limitBytes });
      });
    };
  }

  hear(message: Extract<ToWorker, { type: 'file' | 'noFile' }>): void {
    const waiting = this.#waiting.get(message.id);
    this.#waiting.delete(message.id);
    if (message.type === 'file') waiting?.resolve(message.file);
    else waiting?.reject(new UserError(message.sentence));
  }
}
