/**
 * Files of models, fetched once per visit on the page's side: workers that share a file, and a worker that takes the place of one
 * that was ended, are handed what has come. Kept as blobs, which the browser stores outside the heap, up to a limit; what is larger
 * lives as long as a study runs, and is fetched a second time only after a click.
 */

import { megabytes } from '../base/megabytes';
import { UserError } from '../base/user-error';
import { type DownloadOptions, download, OtherHost } from './download';

/** What is asked before bytes are fetched; `address` is the model's. */
export type ArrivalQuestion =
  | { readonly kind: 'host'; readonly address: string; readonly host: string }
  | { readonly kind: 'again'; readonly address: string; readonly bytes: number };

/** A question has to be answered before the file can come. */
export class AskFirst extends Error {
  readonly question: ArrivalQuestion;

  constructor(question: ArrivalQuestion) {
    super(`The ${question.kind} has to be agreed to first.`);
    this.question = question;
  }
}

export interface FileRequest {
  /** The model as the study names it. */
  readonly model: string;
  readonly path: string;
  readonly address: string;
  /** Most bytes of the model's files together. */
  readonly limitBytes: number;
}

export interface ArrivalsOptions {
  /** Most bytes that are kept while nothing runs. */
  readonly keptBytes?: number;
  readonly stallMilliseconds?: number;
  /** Bytes of the files in flight, and how many they are said to have where all say so. */
  readonly onProgress: (model: string, received: number, announced: number | null) => void;
}

/** Raw files that stay for the rest of the visit: models of up to half a billion 16-bit weights. */
const KEPT_BYTES = 2 ** 30;
/** Settings, vocabularies, indices: read whole and parsed at once, so they end earlier than weights. */
const SMALL_FILE_BYTES = 2 ** 27;

/** What the page brings itself needs no click to come again. */
export const OWN_FILES = 'bundled';

interface Arrival {
  readonly model: string;
  readonly blob: Promise<Blob | null>;
  readonly abort: AbortController;
  isDone: boolean;
  received: number;
  announced: number | null;
}

export class Arrivals {
  readonly #options: ArrivalsOptions;
  /** By address; those that have come, oldest first. */
  readonly #files = new Map<string, Arrival>();
  /** Sizes of files that came and were let go, by model and address. */
  readonly #dropped = new Map<string, Map<string, number>>();
  readonly #agreedHosts = new Set<string>();

  constructor(options: ArrivalsOptions) {
    this.#options = options;
  }

  /**
   * A file of a model; null where the server has none. Throws UserError, AskFirst, or an AbortError when `abort` ended it. A
   * second request for a file joins the first.
   */
  get(request: FileRequest): Promise<Blob | null> {
    const { address, model } = request;
    const known = this.#files.get(address);
    if (known && known.model === model) return known.blob;
    const dropped = this.#dropped.get(model);
    if (dropped?.has(address)) {
      const bytes = [...dropped.values()].reduce((sum, size) => sum + size, 0);
      return Promise.reject(new AskFirst({ kind: 'again', address: model, bytes }));
    }
    const abort = new AbortController();
    const blob = this.#fetch(request, abort.signal);
    const arrival: Arrival = { model, blob, abort, isDone: false, received: 0, announced: null };
    this.#files.set(address, arrival);
    blob.then(
      (file) => {
        arrival.isDone = true;
        arrival.received = file?.size ?? 0;
        arrival.announced = arrival.received;
      },
      () => this.#files.get(address) === arrival && this.#files.delete(address),
    );
    return blob;
  }

  /** The person has answered. */
  agree(question: ArrivalQuestion): void {
    if (question.kind === 'host') this.#agreedHosts.add(question.host);
    else this.#dropped.delete(question.address);
  }

  /** Stops every download but those of one model. */
  abort(exceptModel?: string): void {
    for (const [address, { model, abort, isDone }] of this.#files) {
      if (isDone || model === exceptModel) continue;
      this.#files.delete(address);
      abort.abort(new DOMException('no longer wanted', 'AbortError'));
    }
  }

  /** While nothing runs: lets go of the models fetched longest ago until what is kept is within the limit. */
  shrink(): void {
    const limit = this.#options.keptBytes ?? KEPT_BYTES;
    let held = 0;
    for (const { received } of this.#files.values()) held += received;
    for (const [address, { model, received, isDone }] of this.#files) {
      if (held <= limit) return;
      if (!isDone || received === 0 || model === OWN_FILES) continue;
      this.#files.delete(address);
      held -= received;
      const sizes = this.#dropped.get(model) ?? new Map<string, number>();
      this.#dropped.set(model, sizes.set(address, received));
    }
  }

  async #fetch({ model, path, address, limitBytes }: FileRequest, signal: AbortSignal): Promise<Blob | null> {
    const mine = () => this.#files.get(address);
    const options: DownloadOptions = {
      signal,
      stallMilliseconds: this.#options.stallMilliseconds,
      check: (bytes) => {
        const most = path.endsWith('.json') ? Math.min(SMALL_FILE_BYTES, limitBytes) : limitBytes;
        const others = most === limitBytes ? this.#bytesOf(model, address) : 0;
        if (others + bytes <= most) return;
        throw new UserError(
          path.endsWith('.json')
            ? `${path} has more than ${megabytes(most)}, which no such file needs: it is damaged or another file.`
            : `${path} takes the model's files above ${megabytes(most)}, and no more are allowed on this device; choose a smaller model.`,
        );
      },
      onBytes: (received, announced) => {
        const arrival = mine();
        if (!arrival) return;
        arrival.received = received;
        arrival.announced = announced;
        this.#report(model);
      },
      isAgreed: (host) => this.#agreedHosts.has(host),
    };
    try {
      return await download(path, address, options);
    } catch (error) {
      if (!(error instanceof OtherHost)) throw error;
      throw new AskFirst({ kind: 'host', address: model, host: error.host });
    }
  }

  #bytesOf(model: string, exceptAddress: string): number {
    let bytes = 0;
    for (const [address, file] of this.#files) {
      if (file.model === model && address !== exceptAddress) bytes += file.announced ?? file.received;
    }
    return bytes;
  }

  #report(model: string): void {
    const files = [...this.#files.values()].filter((file) => file.model === model && file.received > 0);
    const received = files.reduce((sum, file) => sum + file.received, 0);
    const isKnown = files.every(({ announced }) => announced !== null);
    const announced = isKnown ? files.reduce((sum, file) => sum + (file.announced ?? 0), 0) : null;
    this.#options.onProgress(model, received, announced);
  }
}
