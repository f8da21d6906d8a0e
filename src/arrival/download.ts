/** One file over the network, as a stream that can be stopped at any byte. */

import { megabytes } from '../base/megabytes';
import { quote } from '../base/quote';
import { UserError } from '../base/user-error';
import { isOwnHost } from './hosts';

/** Longest time without a byte. */
const STALL_MILLISECONDS = 30_000;
/** Pieces of about this size are handed to the browser's own storage while the rest still comes. */
const PIECE_BYTES = 2 ** 24;

export interface DownloadOptions {
  readonly signal: AbortSignal;
  /** Throws UserError where so many bytes, which have come or are announced, are too many. */
  readonly check: (bytes: number, path: string) => void;
  /** Hears how many bytes of this file have come, and how many it is said to have. */
  readonly onBytes: (received: number, announced: number | null) => void;
  /** Whether the body may come from a host that is neither the one that was asked nor its hub's. */
  readonly isAgreed: (host: string) => boolean;
  readonly stallMilliseconds?: number;
}

/** A redirect led to a host that nobody was asked about; nothing of the body was read. */
export class OtherHost extends UserError {
  readonly host: string;

  constructor(path: string, host: string) {
    super(`${path} would come from ${quote(host)}, which is not the host of the model's address.`);
    this.host = host;
  }
}

/**
 * Fetches a file. Null where the server has none: 404, 410, or a page in its place. Throws UserError with one sentence for
 * whatever keeps the file from coming, OtherHost for a redirect to a host that was not agreed to, the signal's reason when stopped.
 */
export async function download(
  path: string,
  address: string,
  options: DownloadOptions,
): Promise<Blob | null> {
  const { signal, check, onBytes, isAgreed } = options;
  signal.throwIfAborted();
  const stop = new AbortController();
  const follow = (): void => stop.abort(signal.reason);
  signal.addEventListener('abort', follow);
  const watch = watchForStall(options.stallMilliseconds ?? STALL_MILLISECONDS, stop);
  let received = 0;
  let announced: number | null = null;
  try {
    // Nothing that identifies the person goes to another origin, at the first host or after a redirect.
    const response = await fetch(address, {
      signal: stop.signal,
      credentials: 'same-origin',
      referrerPolicy: 'no-referrer',
    });
    watch.heard();
    const asked = new URL(address, globalThis.location?.href);
    const answered = new URL(response.url || asked);
    if (!isOwnHost(asked, answered) && !isAgreed(answered.host)) throw new OtherHost(path, answered.host);
    if (response.status === 404 || response.status === 410) return null;
    if (!response.ok) {
      throw new UserError(
        `${path} could not be fetched from ${quote(address, 200)}: the server answered ${response.status}.`,
      );
    }
    // Servers of single-page programs answer with the page itself where there is no such file.
    if (response.headers.get('content-type')?.startsWith('text/html')) return null;
    announced = announcedBytes(response);
    check(announced ?? 0, path);
    onBytes(0, announced);
    const pieces: BlobPart[] = [];
    let piece: Uint8Array<ArrayBuffer>[] = [];
    let pieceBytes = 0;
    const reader = response.body?.getReader();
    for (;;) {
      const { done, value } = (await reader?.read()) ?? { done: true, value: undefined };
      if (done || !value) break;
      watch.heard();
      received += value.byteLength;
      // A body that was compressed on its way is longer than was announced.
      if (announced !== null && received > announced) announced = null;
      check(received, path);
      onBytes(received, announced);
      piece.push(value);
      pieceBytes += value.byteLength;
      if (pieceBytes >= PIECE_BYTES) {
        pieces.push(new Blob(piece));
        piece = [];
        pieceBytes = 0;
      }
    }
    if (announced !== null && received < announced) throw new TypeError('the body ended early');
    return new Blob([...pieces, ...piece]);
  } catch (error) {
    signal.throwIfAborted();
    if (error instanceof UserError) throw error;
    const from = quote(address, 200);
    const arrived = received > 0 ? ` after ${progressText(received, announced)}` : '';
    if (watch.isStalled()) {
      const seconds = (options.stallMilliseconds ?? STALL_MILLISECONDS) / 1000;
      throw new UserError(
        `${path} stopped coming from ${from}${arrived}: no byte for ${seconds} seconds; run again, or check the server.`,
      );
    }
    throw new UserError(
      received > 0
        ? `${path} broke off${arrived} while it was fetched from ${from}; run again.`
        : `${path} could not be fetched from ${from}; check the address and connection.`,
    );
  } finally {
    watch.end();
    signal.removeEventListener('abort', follow);
    // Also what was refused before its end: the connection is closed.
    stop.abort();
  }
}

/** How far something has come: `12 of 269 MB`, or what has come where the whole is not known. */
export function progressText(received: number, announced: number | null): string {
  return announced === null
    ? megabytes(received)
    : `${megabytes(received).replace(/ MB$/, '')} of ${megabytes(announced)}`;
}

function announcedBytes(response: Response): number | null {
  const header = response.headers.get('content-length');
  if (header === null || response.headers.has('content-encoding')) return null;
  const bytes = Number(header);
  return Number.isSafeInteger(bytes) && bytes >= 0 ? bytes : null;
}

/** Stops what `stop` controls when nothing was heard for so long. */
function watchForStall(milliseconds: number, stop: AbortController) {
  let isStalled = false;
  const over = (): void => {
    isStalled = true;
    stop.abort();
  };
  let timer = setTimeout(over, milliseconds);
  return {
    heard(): void {
      clearTimeout(timer);
      timer = setTimeout(over, milliseconds);
    },
    isStalled: () => isStalled,
    end: () => clearTimeout(timer),
  };
}
