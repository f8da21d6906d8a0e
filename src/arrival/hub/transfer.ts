/** Bytes of one file from a hub into storage: in ranges, from the byte that was reached, as often as the connection drops. */

import { createSHA256, type IHasher } from 'hash-wasm';
import { quote } from '../../base/quote';
import { isUserError, UserError } from '../../base/user-error';
import { checkHost, type HubAccess, isOffline, type RepositoryFile, refusal, requestOf } from './repository';
import type { StoredFile } from './storage';

/** Pauses between attempts that bring nothing new, in milliseconds; after the last the download fails. */
const RETRIES: readonly number[] = [500, 1000, 2000, 4000, 8000, 15_000, 30_000];
/** Longest time without a byte. */
const STALL_MILLISECONDS = 30_000;
/** So many bytes are hashed at once where a file goes on that was begun before. */
const READ_BYTES = 2 ** 22;
/** What was written reaches the disk at least this often. */
const FLUSH_BYTES = 2 ** 25;

export interface TransferOptions {
  readonly access: HubAccess;
  readonly repository: string;
  readonly commit: string;
  readonly signal: AbortSignal;
  /** Resolves at once, or when a person lets a download go on that was paused. */
  readonly unpaused: () => Promise<void>;
  /** Aborted whenever the download is paused. */
  readonly pauseSignal: () => AbortSignal;
  /** Hears how many bytes are there. */
  readonly onBytes: (bytes: number) => void;
  /** Hears why nothing comes, null once it does. */
  readonly onWait: (sentence: string | null) => void;
  readonly retries?: readonly number[];
  readonly stallMilliseconds?: number;
}

/** The storage took no more; what was written before is there. */
export class StorageFull extends Error {}

/** A file on its way: its bytes so far, and the hash of them. */
export class Transfer {
  readonly file: RepositoryFile;
  readonly #stored: StoredFile;
  readonly #hash: IHasher;
  #have = 0;
  #flushed = 0;
  /** Of the answer that brought the bytes so far, where a page may see it. */
  #tag: string | null = null;

  constructor(file: RepositoryFile, stored: StoredFile, hash: IHasher) {
    this.file = file;
    this.#stored = stored;
    this.#hash = hash;
  }

  /** Goes on with what is stored, which is hashed once more: that it was written is not taken on trust. */
  static async begin(
    file: RepositoryFile,
    stored: StoredFile,
    onBytes: (bytes: number) => void,
  ): Promise<Transfer> {
    const transfer = new Transfer(file, stored, await createSHA256());
    const there = stored.bytes();
    if (there > file.bytes) transfer.#restart();
    while (transfer.#have < Math.min(there, file.bytes)) {
      const piece = await stored.read(transfer.#have, Math.min(there, transfer.#have + READ_BYTES));
      if (piece.byteLength === 0) break;
      transfer.#hash.update(piece);
      transfer.#have += piece.byteLength;
      onBytes(transfer.#have);
    }
    stored.truncate(transfer.#have);
    return transfer;
  }

  /** Resolves when all bytes are there and are those that the hub lists. UserError, StorageFull, or the signal's reason. */
  async run(options: TransferOptions): Promise<void> {
    const { signal, onWait, unpaused, pauseSignal, retries = RETRIES } = options;
    let furthest = this.#have;
    let failures = 0;
    while (this.#have < this.file.bytes) {
      signal.throwIfAborted();
      await unpaused();
      const pause = pauseSignal();
      try {
        await this.#attempt(options, pause);
      } catch (error) {
        this.#stored.flush();
        signal.throwIfAborted();
        if (isUserError(error) || error instanceof StorageFull) throw error;
        if (pause.aborted) continue;
        // Without a connection there is nothing to give up on: it is waited for.
        if (!isOffline()) failures = this.#have > furthest ? 0 : failures + 1;
        furthest = Math.max(furthest, this.#have);
        if (failures > retries.length) throw new UserError(this.#givenUp(options, error));
        onWait(isOffline() ? 'offline' : 'the connection dropped, trying again');
        await waitFor(retries[Math.max(0, failures - 1)] ?? 0, signal, pause);
      }
      onWait(null);
    }
    this.#stored.flush();
    const digest = this.#hash.digest('hex');
    const { path, sha256, gitSha1 } = this.file;
    const isListed = sha256 !== null ? digest === sha256 : await this.#isGitBlob(gitSha1);
    if (isListed) return;
    this.#restart();
    throw new UserError(
      `${quote(path)} of ${quote(options.repository)} is not the file that the hub lists, as its hash differs: what came was deleted; try again.`,
    );
  }

  /** Copies what is there to another place, where the storage is full. */
  async moveTo(stored: StoredFile): Promise<Transfer> {
    const have = this.#have;
    stored.truncate(0);
    for (let at = 0; at < have; at += READ_BYTES) {
      stored.write(await this.#stored.read(at, Math.min(have, at + READ_BYTES)), at);
    }
    const moved = new Transfer(this.file, stored, this.#hash);
    moved.#have = have;
    moved.#tag = this.#tag;
    return moved;
  }

  async #attempt(options: TransferOptions, pause: AbortSignal): Promise<void> {
    const { access, repository, commit, signal, onBytes, onWait } = options;
    const stall = new AbortController();
    const limit = options.stallMilliseconds ?? STALL_MILLISECONDS;
    let timer = setTimeout(() => stall.abort(), limit);
    const heard = (): void => {
      clearTimeout(timer);
      timer = setTimeout(() => stall.abort(), limit);
    };
    try {
      const path = this.file.path.split('/').map(encodeURIComponent).join('/');
      const address = `${access.settings.address}/${repository}/resolve/${commit}/${path}`;
      const range = this.#have > 0 ? `bytes=${this.#have}-` : null;
      const any = AbortSignal.any([signal, pause, stall.signal]);
      const response = await fetch(address, requestOf(access, any, range));
      heard();
      checkHost(response, this.file.path, access.settings);
      this.#place(response, options);
      onWait(null);
      const reader = response.body?.getReader();
      for (;;) {
        const { done, value } = (await reader?.read()) ?? { done: true, value: undefined };
        if (done || !value) break;
        heard();
        if (this.#have + value.byteLength > this.file.bytes) {
          await reader?.cancel();
          throw new UserError(
            `${quote(this.file.path)} of ${quote(repository)} is longer than the hub lists: check the hub's address.`,
          );
        }
        this.#append(value as Uint8Array<ArrayBuffer>);
        onBytes(this.#have);
      }
      if (this.#have < this.file.bytes) throw new TypeError('the body ended early');
    } finally {
      clearTimeout(timer);
      // Also what was refused before its end: the connection is closed.
      stall.abort();
    }
  }

  /** Takes an answer as what goes on from here, or from the begin where the server sends all or another file than before. */
  #place(response: Response, { repository, commit, access }: TransferOptions): void {
    const { status, headers } = response;
    if (status === 429 || status >= 500) throw new TypeError(`the server answered ${status}`);
    if (status === 416) {
      this.#restart();
      throw new TypeError('the server has no such range');
    }
    if (status === 404 || status === 410) {
      throw new UserError(`${quote(this.file.path)} is no longer in ${quote(repository)} at that commit.`);
    }
    if (!response.ok) throw refusal(response, repository, commit, access);
    // What stands between a browser and the network answers with pages of its own.
    if (headers.get('content-type')?.startsWith('text/html') && !this.file.path.endsWith('.html'))
      throw new TypeError('a page came in place of the file');
    const tag = headers.get('etag');
    const begin = /^bytes (\d+)-/.exec(headers.get('content-range') ?? '')?.[1];
    const isOther = status === 206 && tag !== null && this.#tag !== null && tag !== this.#tag;
    const isElsewhere = status === 206 && begin !== undefined && Number(begin) !== this.#have;
    this.#tag = tag;
    if (isOther || isElsewhere) {
      this.#restart();
      throw new TypeError('the server sends another file or part than it was asked for');
    }
    if (status !== 206) this.#restart();
  }

  #append(piece: Uint8Array<ArrayBuffer>): void {
    try {
      this.#stored.write(piece, this.#have);
    } catch (error) {
      if ((error as DOMException).name !== 'QuotaExceededError') throw error;
      throw new StorageFull();
    }
    this.#hash.update(piece);
    this.#have += piece.byteLength;
    if (this.#have - this.#flushed < FLUSH_BYTES) return;
    this.#stored.flush();
    this.#flushed = this.#have;
  }

  #restart(): void {
    this.#stored.truncate(0);
    this.#hash.init();
    this.#have = 0;
    this.#flushed = 0;
  }

  /** Files that lie in git itself are small; their names are SHA-1 of a header and the file. */
  async #isGitBlob(name: string | null): Promise<boolean> {
    if (name === null || !globalThis.crypto?.subtle) return true;
    const header = new TextEncoder().encode(`blob ${this.file.bytes}\0`);
    const whole = new Uint8Array(header.byteLength + this.file.bytes);
    whole.set(header);
    whole.set(await this.#stored.read(0, this.file.bytes), header.byteLength);
    const digest = new Uint8Array(await crypto.subtle.digest('SHA-1', whole));
    return [...digest].map((byte) => byte.toString(16).padStart(2, '0')).join('') === name;
  }

  #givenUp({ repository }: TransferOptions, error: unknown): string {
    const what = `${quote(this.file.path)} of ${quote(repository)}`;
    const kept = this.#have > 0 ? '; what has come is kept, and the next try goes on from there' : '';
    if (isOffline()) return `There is no connection, and ${what} is not stored whole${kept}.`;
    const why = error instanceof Error ? error.message.replace(/\.$/, '') : String(error);
    return `${what} could not be fetched after several tries (${why})${kept}.`;
  }
}

/** Ends after the time, when the network is back, when it is paused, or, with its reason, with the signal. */
function waitFor(milliseconds: number, signal: AbortSignal, pause: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const over = new AbortController();
    const end = (then: () => void) => (): void => {
      clearTimeout(timer);
      over.abort();
      then();
    };
    const timer = setTimeout(end(resolve), milliseconds);
    const once = { once: true, signal: over.signal };
    signal.addEventListener(
      'abort',
      end(() => reject(signal.reason)),
      once,
    );
    pause.addEventListener('abort', end(resolve), once);
    globalThis.addEventListener?.('online', end(resolve), once);
  });
}
