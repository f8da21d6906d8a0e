/** The page's side of hub models: what is stored and on its way, settings, token. Fetched when a hub model is named or the form opens. */

import { createStore, type StoreApi } from 'zustand/vanilla';
import { UserError } from '../../base/user-error';
import type { HubProgress, StoredModel } from './hub-files';
import type { FromHub, HubRequestName, HubRequests, ToHub } from './protocol';
import { type HubSettings, storedHub, storeHub } from './settings';

export interface HubState {
  readonly settings: HubSettings;
  readonly hasToken: boolean;
  /** Downloads, by model. */
  readonly progress: Readonly<Record<string, HubProgress>>;
  /** Null until it is known. */
  readonly stored: readonly StoredModel[] | null;
  /** What became of storage, one sentence each. */
  readonly notices: readonly string[];
}

export interface HubModelsOptions {
  readonly createWorker?: () => Worker;
  /** Hears how far the download of a model is. */
  readonly onProgress?: (progress: HubProgress) => void;
}

interface Waiting {
  resolve(value: unknown): void;
  reject(reason: unknown): void;
}

function createKeeper(): Worker {
  return new Worker(new URL('./keeper.ts', import.meta.url), { type: 'module', name: 'keyhole models' });
}

export class HubModels {
  readonly store: StoreApi<HubState> = createStore<HubState>(() => ({
    settings: storedHub(),
    hasToken: false,
    progress: {},
    stored: null,
    notices: [],
  }));
  readonly #worker: Worker;
  readonly #waiting = new Map<number, Waiting>();
  #next = 0;

  constructor({ createWorker = createKeeper }: HubModelsOptions = {}) {
    this.#worker = createWorker();
    this.#worker.onmessage = ({ data }: MessageEvent<FromHub>) => this.#hear(data);
    this.#worker.onerror = () => {
      const error = new UserError('What fetches models has stopped; reload the page.');
      for (const { reject } of this.#waiting.values()) reject(error);
      this.#waiting.clear();
    };
    void this.ask('setHub', this.store.getState().settings);
    this.#refresh();
  }

  /** Rejects with UserError, or an AbortError where a download was stopped. */
  ask<Name extends HubRequestName>(
    name: Name,
    ...values: Parameters<HubRequests[Name]>
  ): Promise<ReturnType<HubRequests[Name]>> {
    const id = this.#next++;
    return new Promise((resolve, reject) => {
      this.#waiting.set(id, { resolve: resolve as Waiting['resolve'], reject });
      this.#worker.postMessage({ id, name, values } satisfies ToHub);
    });
  }

  /** Kept in this browser; a token that was given for another address is forgotten. */
  setHub(settings: HubSettings): void {
    const { settings: before, hasToken } = this.store.getState();
    storeHub(settings);
    this.store.setState({ settings, hasToken: hasToken && before.address === settings.address });
    void this.ask('setHub', settings);
  }

  /** Held in memory until the page is closed. */
  setToken(token: string | null): void {
    this.store.setState({ hasToken: token !== null });
    void this.ask('setToken', token);
  }

  #refresh(): void {
    this.ask('stored').then(
      (stored) => this.store.setState({ stored }),
      () => this.store.setState({ stored: [] }),
    );
  }

  #hear(message: FromHub): void {
    switch (message.type) {
      case 'progress': {
        const { [message.model]: _, ...others } = this.store.getState().progress;
        const { model, progress } = message;
        this.store.setState({ progress: progress ? { ...others, [model]: progress } : others });
        return;
      }
      case 'changed':
        this.#refresh();
        return;
      case 'notice': {
        const { notices } = this.store.getState();
        if (!notices.includes(message.sentence))
          this.store.setState({ notices: [...notices, message.sentence] });
        return;
      }
      default: {
        const waiting = this.#waiting.get(message.id);
        this.#waiting.delete(message.id);
        if (message.type === 'answer') waiting?.resolve(message.value);
        else if (message.kind === 'user') waiting?.reject(new UserError(message.sentence));
        else if (message.kind === 'stopped')
          waiting?.reject(new DOMException(message.sentence, 'AbortError'));
        else waiting?.reject(new Error(message.sentence));
      }
    }
  }
}
