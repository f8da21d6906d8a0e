/**
 * Files of hub models: looked up once, fetched on demand, kept in storage and handed out from there. A model that is stored needs no
 * network. Runs in a worker, which alone may write storage in place.
 */

import * as z from 'zod/mini';
import { megabytes } from '../../base/megabytes';
import { quote } from '../../base/quote';
import { UserError } from '../../base/user-error';
import { type HubName, hubModel, hubNameOf } from '../model-name';
import { RateMeter } from './rate-meter';
import {
  askRepository,
  filesOfModel,
  firstShard,
  type HubAccess,
  type Repository,
  type RepositoryFile,
} from './repository';
import { DEFAULT_HUB, type HubSettings } from './settings';
import { MemoryStorage, type ModelStorage } from './storage';
import { StorageFull, Transfer } from './transfer';

/** How far the files of a model are that are being fetched. */
export interface HubProgress {
  readonly model: string;
  readonly received: number;
  /** Of all files that the model is known to need. */
  readonly total: number;
  readonly bytesPerSecond: number | null;
  readonly isPaused: boolean;
  /** Why nothing comes at the moment, a clause; null while bytes come. */
  readonly waiting: string | null;
}

/** A model that is kept, whole or in part. */
export interface StoredModel {
  readonly model: string;
  readonly bytes: number;
  /** Of the files that were asked for. */
  readonly totalBytes: number;
  readonly isComplete: boolean;
  /** Milliseconds since 1970. */
  readonly usedAt: number;
}

export interface HubFile {
  readonly blob: Blob;
  /** SHA-256 of the whole file in hexadecimal digits, where it was checked. */
  readonly sha256: string | null;
}

export interface HubFilesOptions {
  readonly storage: ModelStorage;
  /** Hears how far a download is; null: it is over. */
  readonly onProgress: (model: string, progress: HubProgress | null) => void;
  /** A model is there, or gone, or somewhere else than before. */
  readonly onChange: () => void;
  /** Something a person should know, one sentence. */
  readonly onNotice: (sentence: string) => void;
  readonly retries?: readonly number[];
  readonly stallMilliseconds?: number;
  /** Tells tabs apart that want to write the same file; null where there are no locks. */
  readonly locks?: LockManager | null;
}

const fileList = z.object({
  repository: z.object({
    name: z.string(),
    commit: z.string(),
    files: z.array(
      z.object({
        path: z.string(),
        bytes: z.number(),
        sha256: z.nullable(z.string()),
        gitSha1: z.nullable(z.string()),
      }),
    ),
  }),
  /** Other names of the commit that models were asked for by. */
  revisions: z.array(z.string()),
  /** The files that openings have asked for, and whether each is whole and checked. */
  asked: z.record(z.string(), z.boolean()),
  usedAt: z.number(),
});

/** Of one commit of a repository: its files lie beside this, in one directory. */
type Record = z.infer<typeof fileList>;

/** Two, written one after the other: one of them is whole, whatever ends the page. */
const RECORD_FILES = ['keyhole.json', 'keyhole-before.json'] as const;
const REPORT_MILLISECONDS = 100;
/** JSON is read whole and parsed at once, so it ends earlier than weights. */
const JSON_BYTES = 2 ** 27;

/** A download of one model, from its first file to its last. */
class Task {
  readonly abort = new AbortController();
  readonly meter = new RateMeter();
  readonly have = new Map<string, number>();
  readonly asked = new Map<string, RepositoryFile>();
  active = 0;
  waiting: string | null = null;
  pause = new AbortController();
  #resume: (() => void) | null = null;
  #paused: Promise<void> = Promise.resolve();

  get isPaused(): boolean {
    return this.#resume !== null;
  }

  setPaused(isPaused: boolean): void {
    if (isPaused === this.isPaused) return;
    if (isPaused) {
      this.#paused = new Promise((resolve) => {
        this.#resume = resolve;
      });
      this.pause.abort();
    } else {
      this.pause = new AbortController();
      this.#resume?.();
      this.#resume = null;
      this.meter.restart();
    }
  }

  /** Rejects with the abort's reason. */
  unpaused(): Promise<void> {
    const { signal } = this.abort;
    return Promise.race([
      this.#paused,
      new Promise<never>((_, reject) => signal.addEventListener('abort', () => reject(signal.reason))),
    ]);
  }
}

export class HubFiles {
  readonly #options: HubFilesOptions;
  /** Where what the storage has no room for goes. */
  readonly #memory = new MemoryStorage();
  readonly #tasks = new Map<string, Task>();
  readonly #flights = new Map<string, Promise<HubFile>>();
  /** By `owner/name@revision`. */
  readonly #lookups = new Map<string, Promise<Repository>>();
  /** Whole files in memory, by directory and path. */
  readonly #spilled = new Set<string>();
  readonly #used = new Set<string>();
  #access: HubAccess = { settings: DEFAULT_HUB, token: null };
  #changing: Promise<unknown> = Promise.resolve();
  #reported = 0;

  constructor(options: HubFilesOptions) {
    this.#options = options;
  }

  setHub(settings: HubSettings): void {
    this.#access = {
      settings,
      token: settings.address === this.#access.settings.address ? this.#access.token : null,
    };
    this.#lookups.clear();
  }

  setToken(token: string | null): void {
    this.#access = { ...this.#access, token };
    this.#lookups.clear();
  }

  /** The files of a repository, from storage where they are known. UserError, or the signal's reason. */
  async look(model: string): Promise<Repository> {
    const name = hubNameOf(model);
    const stored = await this.#find(name);
    if (stored) return stored.record.repository;
    const key = (revision: string): string => `${name.repository}@${revision}`;
    const known = this.#lookups.get(key(name.revision));
    if (known) return known;
    const lookup = askRepository(name, this.#access, new AbortController().signal);
    this.#lookups.set(key(name.revision), lookup);
    lookup.then(
      ({ commit }) => this.#lookups.set(key(commit), lookup),
      () => this.#lookups.delete(key(name.revision)),
    );
    return lookup;
  }

  /** A small file of a model for those who ask about it before they choose it: from storage, or fetched and not kept. */
  async peek(model: string, path: string): Promise<Blob | null> {
    const repository = await this.look(model);
    const file = repository.files.find((each) => each.path === path);
    if (!file) return null;
    checkJsonSize(file);
    const stored = await this.#options.storage.blob(directoryOf(repository), partOf(path));
    if (stored?.size === file.bytes) return stored;
    const memory = new MemoryStorage();
    const open = await memory.open('peek', path);
    const transfer = await Transfer.begin(file, open, () => {});
    const never = new AbortController().signal;
    await transfer.run({
      ...{ access: this.#access, repository: repository.name, commit: repository.commit, signal: never },
      ...{ unpaused: () => Promise.resolve(), pauseSignal: () => never, onBytes: () => {}, onWait: () => {} },
      retries: this.#options.retries?.slice(0, 2),
    });
    return memory.blob('peek', path);
  }

  /**
   * A file of a model; null where the repository has none. Fetches and keeps what is not there; requests for one file share one
   * download. UserError, or an AbortError when the download was stopped.
   */
  async get(model: string, path: string, limitBytes: number): Promise<HubFile | null> {
    const name = hubNameOf(model);
    const repository = await this.look(model);
    const file = repository.files.find((each) => each.path === path);
    if (!file) return null;
    if (path.endsWith('.json')) checkJsonSize(file);
    const directory = directoryOf(repository);
    await this.#note(directory, repository, name, path);
    const { asked } = (await this.#read(directory))!;
    const bytes = repository.files.reduce((sum, each) => sum + (each.path in asked ? each.bytes : 0), 0);
    if (bytes > limitBytes) {
      throw new UserError(
        `${path} takes the model's files to ${megabytes(bytes)}, and ${megabytes(limitBytes)} are allowed on this device; choose a smaller model.`,
      );
    }
    const stored = await this.#stored(directory, file);
    if (stored) return stored;
    const key = `${directory}/${path}`;
    const known = this.#flights.get(key);
    if (known) return known;
    const flight = this.#fetch(model, name, repository, file).finally(() => this.#flights.delete(key));
    this.#flights.set(key, flight);
    return flight;
  }

  /** Whether all that an opening needs is stored: it then needs neither the network nor a click. */
  async isStored(model: string): Promise<boolean> {
    const name = hubNameOf(model);
    const found = await this.#find(name);
    return found !== null && partsOf(found.record).some((part) => part.file === name.file && part.isComplete);
  }

  async stored(): Promise<StoredModel[]> {
    const models: StoredModel[] = [];
    for (const directory of await this.#options.storage.directories()) {
      const record = await this.#read(directory);
      if (!record) {
        // Nothing says what is in it.
        if (!this.#isBusy(directory)) await this.#options.storage.remove(directory);
        continue;
      }
      const { name, commit } = record.repository;
      for (const part of partsOf(record)) {
        let bytes = 0;
        for (const path of part.paths) {
          bytes += (await this.#options.storage.blob(directory, partOf(path)))?.size ?? 0;
        }
        models.push({
          model: hubModel({ repository: name, revision: commit, file: part.file }),
          bytes,
          totalBytes: part.totalBytes,
          isComplete: part.isComplete,
          usedAt: record.usedAt,
        });
      }
    }
    return models;
  }

  pause(model: string): void {
    this.#tasks.get(model)?.setPaused(true);
    this.#report(model);
  }

  resume(model: string): void {
    this.#tasks.get(model)?.setPaused(false);
    this.#report(model);
  }

  /** Ends downloads, all but one model's; what has come stays. */
  stop(exceptModel: string | null): void {
    for (const [model, task] of this.#tasks) {
      if (model !== exceptModel) task.abort.abort(new DOMException('no longer wanted', 'AbortError'));
    }
  }

  /** Deletes a model, its download included. */
  async remove(model: string): Promise<void> {
    const task = this.#tasks.get(model);
    task?.abort.abort(
      new UserError(
        `The download of ${quote(hubNameOf(model).repository)} was cancelled; what had come was deleted.`,
      ),
    );
    const name = hubNameOf(model);
    const found = await this.#find(name);
    if (!found) return;
    const { directory, record } = found;
    await this.#settled(directory);
    const parts = partsOf(record);
    const mine = parts.find(({ file }) => file === name.file);
    for (const path of mine?.paths ?? []) this.#spilled.delete(`${directory}/${path}`);
    if (parts.length <= 1) {
      await this.#options.storage.remove(directory);
      await this.#memory.remove(directory);
    } else {
      for (const path of mine?.paths ?? []) await this.#options.storage.remove(directory, partOf(path));
      await this.#change(directory, (before) => {
        if (before) for (const path of mine?.paths ?? []) delete before.asked[path];
        return before;
      });
    }
    this.#options.onChange();
  }

  async #fetch(model: string, name: HubName, repository: Repository, file: RepositoryFile): Promise<HubFile> {
    const task = this.#tasks.get(model) ?? new Task();
    this.#tasks.set(model, task);
    task.active += 1;
    for (const each of filesOfModel(repository, name.file)) task.asked.set(each.path, each);
    task.asked.set(file.path, file);
    try {
      await this.#countStored(task, repository);
      const directory = directoryOf(repository);
      return await this.#alone(`${directory}/${file.path}`, task, model, async () => {
        // Another tab may have fetched it meanwhile.
        const there = await this.#stored(directory, file);
        if (there) return there;
        await this.#transfer(model, task, repository, file);
        const stored = await this.#stored(directory, file);
        if (!stored) throw new UserError(`${quote(file.path)} was deleted while it came; run again.`);
        return stored;
      });
    } finally {
      task.active -= 1;
      if (task.active === 0) {
        this.#tasks.delete(model);
        this.#options.onProgress(model, null);
        this.#options.onChange();
      }
    }
  }

  async #transfer(model: string, task: Task, repository: Repository, file: RepositoryFile): Promise<void> {
    const { storage, retries, stallMilliseconds } = this.#options;
    const directory = directoryOf(repository);
    const key = `${directory}/${file.path}`;
    const onBytes = (bytes: number): void => {
      const before = task.have.get(file.path) ?? 0;
      task.have.set(file.path, bytes);
      if (bytes > before) task.meter.add(bytes - before);
      this.#report(model, task.waiting === null);
    };
    const onWait = (waiting: string | null): void => {
      if (waiting === task.waiting) return;
      task.waiting = waiting;
      if (waiting === null) task.meter.restart();
      this.#report(model);
    };
    const options = {
      ...{ access: this.#access, repository: repository.name, commit: repository.commit, onBytes, onWait },
      ...{ signal: task.abort.signal, unpaused: () => task.unpaused(), pauseSignal: () => task.pause.signal },
      ...{ retries, stallMilliseconds },
    };
    let open = await storage.open(directory, partOf(file.path));
    let isKept = true;
    try {
      onWait('checking what is there');
      let transfer = await Transfer.begin(file, open, (bytes) => {
        task.abort.signal.throwIfAborted();
        onBytes(bytes);
      });
      onWait(null);
      const moveToMemory = async (): Promise<void> => {
        const memory = await this.#memory.open(directory, partOf(file.path));
        transfer = await transfer.moveTo(memory);
        open.truncate(0);
        open.close();
        open = memory;
        isKept = false;
        this.#options.onNotice(
          `The browser’s storage has no room for ${file.path} (${megabytes(file.bytes)}): it stays in memory and is gone when this page is closed; delete stored models to make room.`,
        );
      };
      const room = await storage.roomBytes();
      if (room !== null && room < file.bytes - (task.have.get(file.path) ?? 0)) await moveToMemory();
      try {
        await transfer.run(options);
      } catch (error) {
        if (!(error instanceof StorageFull) || !isKept) throw error;
        await moveToMemory();
        await transfer.run(options);
      }
    } finally {
      open.close();
    }
    if (isKept)
      await this.#change(
        directory,
        (record) => record && { ...record, asked: { ...record.asked, [file.path]: true } },
      );
    else {
      this.#spilled.add(key);
      await storage.remove(directory, partOf(file.path));
    }
  }

  /** The bytes of the model's files that are there before anything comes. */
  async #countStored(task: Task, { name, commit }: Pick<Repository, 'name' | 'commit'>): Promise<void> {
    for (const path of task.asked.keys()) {
      if (task.have.has(path)) continue;
      const blob = await this.#options.storage.blob(directoryOf({ name, commit }), partOf(path));
      if (!task.have.has(path)) task.have.set(path, blob?.size ?? 0);
    }
  }

  /** Does what no other tab does with this file meanwhile. */
  async #alone<T>(what: string, task: Task, model: string, work: () => Promise<T>): Promise<T> {
    const { locks } = this.#options;
    if (!locks) return work();
    const name = `keyhole model ${what}`;
    const mine = await locks.request(name, { ifAvailable: true }, async (lock) =>
      lock ? { done: await work() } : null,
    );
    if (mine) return mine.done;
    task.waiting = 'another tab fetches it';
    this.#report(model);
    try {
      return await locks.request(name, { signal: task.abort.signal }, work);
    } finally {
      task.waiting = null;
    }
  }

  #isBusy(directory: string): boolean {
    return [...this.#flights.keys()].some((key) => key.startsWith(`${directory}/`));
  }

  async #settled(directory: string): Promise<void> {
    const pending = [...this.#flights].filter(([key]) => key.startsWith(`${directory}/`));
    await Promise.allSettled(pending.map(([, flight]) => flight));
  }

  /** A file that is there, whole and checked. */
  async #stored(directory: string, file: RepositoryFile): Promise<HubFile | null> {
    const isSpilled = this.#spilled.has(`${directory}/${file.path}`);
    const record = isSpilled ? null : await this.#read(directory);
    if (!isSpilled && !record?.asked[file.path]) return null;
    const from = isSpilled ? this.#memory : this.#options.storage;
    const blob = await from.blob(directory, partOf(file.path));
    return blob?.size === file.bytes ? { blob, sha256: file.sha256 } : null;
  }

  async #find({ repository, revision }: HubName): Promise<{ directory: string; record: Record } | null> {
    const directories = await this.#options.storage.directories();
    for (const directory of directories) {
      if (!directory.startsWith(`${encodeURIComponent(repository)}@`)) continue;
      const record = await this.#read(directory);
      if (record && (record.repository.commit === revision || record.revisions.includes(revision)))
        return { directory, record };
    }
    return null;
  }

  /** Writes down that an opening asks for a file. */
  async #note(directory: string, repository: Repository, { revision }: HubName, path: string): Promise<void> {
    const record = await this.#read(directory);
    const isKnown = record?.revisions.includes(revision) && path in record.asked;
    if (isKnown && this.#used.has(directory)) return;
    this.#used.add(directory);
    await this.#change(directory, (before) => ({
      repository: { ...repository, files: [...repository.files] },
      revisions: [...new Set([...(before?.revisions ?? []), revision])],
      asked: { [path]: false, ...before?.asked },
      usedAt: Date.now(),
    }));
  }

  async #read(directory: string): Promise<Record | null> {
    for (const file of RECORD_FILES) {
      const blob = await this.#options.storage.blob(directory, file);
      try {
        const read = fileList.safeParse(JSON.parse((await blob?.text()) ?? ''));
        if (read.success) return read.data;
      } catch {
        // Cut off while it was written: the other one is whole.
      }
    }
    return null;
  }

  /** One change after the other, those of other tabs included. `change` gets the record as it is then, and gives null to leave it. */
  #change(directory: string, change: (record: Record | null) => Record | null): Promise<void> {
    const { storage, locks } = this.#options;
    const write = async (): Promise<void> => {
      const record = change(await this.#read(directory));
      if (!record) return;
      const bytes = new TextEncoder().encode(JSON.stringify(record));
      for (const file of [...RECORD_FILES].reverse()) {
        const open = await storage.open(directory, file);
        try {
          open.truncate(0);
          open.write(bytes, 0);
          open.flush();
        } finally {
          open.close();
        }
      }
    };
    const done = this.#changing.then(() => (locks ? locks.request('keyhole models', write) : write()));
    this.#changing = done.catch(() => {});
    return done;
  }

  #report(model: string, isBytes = false): void {
    const task = this.#tasks.get(model);
    if (!task) return;
    const now = performance.now();
    if (isBytes && now - this.#reported < REPORT_MILLISECONDS) return;
    this.#reported = now;
    let received = 0;
    let total = 0;
    for (const { path, bytes } of task.asked.values()) {
      received += Math.min(bytes, task.have.get(path) ?? 0);
      total += bytes;
    }
    this.#options.onProgress(model, {
      ...{ model, received, total, isPaused: task.isPaused, waiting: task.waiting },
      bytesPerSecond: task.meter.bytesPerSecond(),
    });
  }
}

function checkJsonSize({ path, bytes }: RepositoryFile): void {
  if (bytes <= JSON_BYTES) return;
  throw new UserError(
    `${path} has more than ${megabytes(JSON_BYTES)}, which no such file needs: it is damaged or another file.`,
  );
}

function directoryOf({ name, commit }: Pick<Repository, 'name' | 'commit'>): string {
  return `${encodeURIComponent(name)}@${commit}`;
}

/** A path as a name of one part. */
function partOf(path: string): string {
  return encodeURIComponent(path);
}

interface Part {
  /** The one file that is the model; null: a folder. */
  readonly file: string | null;
  readonly paths: readonly string[];
  readonly totalBytes: number;
  readonly isComplete: boolean;
}

/** The models that a record's files are of: the folder, and each GGUF file for itself. */
function partsOf({ asked, repository }: Record): Part[] {
  const sizes = new Map(repository.files.map(({ path, bytes }) => [path, bytes]));
  const part = (file: string | null, paths: string[], hasWeights: boolean): Part => ({
    ...{ file, paths },
    totalBytes: paths.reduce((sum, path) => sum + (sizes.get(path) ?? 0), 0),
    isComplete: hasWeights && paths.every((path) => asked[path]),
  });
  const paths = Object.keys(asked).sort();
  const isGguf = (path: string): boolean => /\.gguf$/i.test(path);
  const single = [...new Set(paths.filter(isGguf).map(firstShard))];
  const folder = paths.filter((path) => !isGguf(path));
  const hasWeights = folder.some((path) => /(^|\/)model[\w-]*\.safetensors$/.test(path));
  return [
    ...(folder.length > 0 ? [part(null, folder, hasWeights)] : []),
    ...single.map((first) =>
      part(
        first,
        paths.filter((path) => firstShard(path) === first),
        true,
      ),
    ),
  ];
}
