/** Answers the page's messages with what fetches and keeps hub models, in whichever thread that is. */

import { isUserError } from '../../base/user-error';
import { HubFiles } from './hub-files';
import type { FromHub, ToHub } from './protocol';
import { MemoryStorage, type ModelStorage } from './storage';

export interface ServeOptions {
  /** Null: models stay in memory. */
  readonly storage: Promise<ModelStorage | null>;
  readonly locks: LockManager | null;
  readonly retries?: readonly number[];
}

/** Gives what hears the page's messages; `post` answers them. */
export function serveHub(
  post: (message: FromHub) => void,
  options: ServeOptions,
): (message: ToHub) => Promise<void> {
  const files = options.storage.then((storage) => {
    if (!storage) {
      const sentence =
        'This browser lets the page keep no files: a downloaded model stays in memory and is gone when the page is closed.';
      post({ type: 'notice', sentence });
    }
    return new HubFiles({
      storage: storage ?? new MemoryStorage(),
      onProgress: (model, progress) => post({ type: 'progress', model, progress }),
      onChange: () => post({ type: 'changed' }),
      onNotice: (sentence) => post({ type: 'notice', sentence }),
      locks: options.locks,
      retries: options.retries,
    });
  });
  return async ({ id, name, values }) => {
    try {
      const answer = (await files)[name] as (...values: readonly unknown[]) => unknown;
      post({ type: 'answer', id, value: await answer.apply(await files, values as unknown[]) });
    } catch (error) {
      const { name: kind, message } = error as Error;
      post({
        ...{ type: 'failed', id, sentence: message },
        kind: isUserError(error) ? 'user' : kind === 'AbortError' ? 'stopped' : 'fault',
      });
    }
  };
}
