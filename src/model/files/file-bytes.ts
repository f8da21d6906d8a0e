import { UserError } from '../../base/user-error';

/** A file whose bytes are read in parts, wherever it lies; models and captures may be larger than memory. */
export interface FileBytes {
  /** How messages name it. */
  readonly name: string;
  readonly size: number;
  /** SHA-256 of the whole in hexadecimal digits, where it is known already. */
  readonly sha256?: string | undefined;
  /**
   * Bytes [begin, end), a new array or a view of the file: read only. UserError where they cannot be had, the signal's reason when
   * it was aborted.
   */
  read(begin: number, end: number, signal?: AbortSignal): Promise<Uint8Array<ArrayBuffer>>;
}

/** A file that lies in memory. */
export function bytesInMemory(name: string, bytes: Uint8Array<ArrayBuffer>): FileBytes {
  return {
    name,
    size: bytes.byteLength,
    read: async (begin, end, signal) => {
      signal?.throwIfAborted();
      return bytes.subarray(begin, end);
    },
  };
}

/** A file that the browser stores: chosen by a person, downloaded, or kept. */
export function bytesOfBlob(name: string, blob: Blob, sha256?: string): FileBytes {
  return {
    name,
    size: blob.size,
    sha256,
    async read(begin, end, signal) {
      signal?.throwIfAborted();
      const asked = Math.min(end, blob.size) - begin;
      let bytes: ArrayBuffer;
      try {
        bytes = await blob.slice(begin, end).arrayBuffer();
      } catch (error) {
        const { name: kind } = error as DOMException;
        const isGone = kind === 'NotReadableError' || kind === 'NotFoundError';
        throw new UserError(`${name} can no longer be read: ${isGone ? CHANGED : noMemory(asked)}`);
      }
      signal?.throwIfAborted();
      return new Uint8Array(bytes);
    },
  };
}

const CHANGED = 'it was changed, moved or deleted since it was opened; open it again.';
const noMemory = (bytes: number): string =>
  `there is no memory for ${Math.ceil(bytes / 1e6)} MB of it; choose a smaller model or close other pages.`;

/** The whole of a file; for those that are small. */
export function readAll(file: FileBytes, signal?: AbortSignal): Promise<Uint8Array<ArrayBuffer>> {
  return file.read(0, file.size, signal);
}
