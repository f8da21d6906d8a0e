/** Messages between the page and the worker that fetches and keeps hub models. */

import type { HubFile, HubFiles, HubProgress, StoredModel } from './hub-files';
import type { Repository } from './repository';
import type { HubSettings } from './settings';

/** What is asked and answered, by name. */
export interface HubRequests {
  look(model: string): Repository;
  peek(model: string, path: string): Blob | null;
  get(model: string, path: string, limitBytes: number): HubFile | null;
  isStored(model: string): boolean;
  stored(): StoredModel[];
  remove(model: string): void;
  pause(model: string): void;
  resume(model: string): void;
  stop(exceptModel: string | null): void;
  setHub(settings: HubSettings): void;
  setToken(token: string | null): void;
}

export type HubRequestName = keyof HubRequests & keyof HubFiles;

export interface ToHub {
  readonly id: number;
  readonly name: HubRequestName;
  readonly values: readonly unknown[];
}

export type FromHub =
  | { readonly type: 'answer'; readonly id: number; readonly value: unknown }
  | {
      readonly type: 'failed';
      readonly id: number;
      readonly sentence: string;
      readonly kind: 'user' | 'stopped' | 'fault';
    }
  | { readonly type: 'progress'; readonly model: string; readonly progress: HubProgress | null }
  | { readonly type: 'changed' }
  | { readonly type: 'notice'; readonly sentence: string };
