/**
 * Where downloaded models are kept: the browser's own storage, file by file and written in place, so that a download goes on after a
 * reload; or memory, for as long as the page is open. Directories and files have names of one part.
 */

/** A file that is open for writing, and for nobody else. */
export interface StoredFile {
  bytes(): number;
  /** Throws a QuotaExceededError where there is no room. */
  write(piece: Uint8Array<ArrayBuffer>, at: number): void;
  read(begin: number, end: number): Promise<Uint8Array<ArrayBuffer>>;
  truncate(bytes: number): void;
  /** What was written outlives the page from here on. */
  flush(): void;
  close(): void;
}

export interface ModelStorage {
  directories(): Promise<string[]>;
  /** Opens a file, which is made where there is none. */
  open(directory: string, file: string): Promise<StoredFile>;
  /** Null where there is none. */
  blob(directory: string, file: string): Promise<Blob | null>;
  /** Removes a file, or the directory with all that is in it; nothing where there is none. */
  remove(directory: string, file?: string): Promise<void>;
  /** Bytes that may still be written; null: it is not said. */
  roomBytes(): Promise<number | null>;
}

/** Pieces of about this size become blobs, which the browser stores outside the heap where it can. */
const PIECE_BYTES = 2 ** 24;

/** Files in memory, for browsers that have no storage of their own or whose storage is full. */
export class MemoryStorage implements ModelStorage {
  readonly #directories = new Map<string, Map<string, MemoryFile>>();

  async directories(): Promise<string[]> {
    return [...this.#directories.keys()];
  }

  async open(directory: string, file: string): Promise<StoredFile> {
    const files = this.#directories.get(directory) ?? new Map<string, MemoryFile>();
    this.#directories.set(directory, files);
    const found = files.get(file) ?? new MemoryFile();
    files.set(file, found);
    return found;
  }

  async blob(directory: string, file: string): Promise<Blob | null> {
    return this.#directories.get(directory)?.get(file)?.blob() ?? null;
  }

  async remove(directory: string, file?: string): Promise<void> {
    if (file === undefined) this.#directories.delete(directory);
    else this.#directories.get(directory)?.delete(file);
  }

  async roomBytes(): Promise<number | null> {
    return null;
  }
}

/** Grows at its end, or is begun anew. */
class MemoryFile implements StoredFile {
  #blobs: Blob[] = [];
  #pieces: Uint8Array<ArrayBuffer>[] = [];
  #pieceBytes = 0;
  #bytes = 0;

  bytes(): number {
    return this.#bytes;
  }

  write(piece: Uint8Array<ArrayBuffer>, at: number): void {
    if (at !== this.#bytes)
      throw new Error(`a file in memory grows at its end, ${this.#bytes}, not at ${at}`);
    this.#pieces.push(piece.slice());
    this.#pieceBytes += piece.byteLength;
    this.#bytes += piece.byteLength;
    if (this.#pieceBytes >= PIECE_BYTES) this.#gather();
  }

  async read(begin: number, end: number): Promise<Uint8Array<ArrayBuffer>> {
    return new Uint8Array(await this.blob().slice(begin, end).arrayBuffer());
  }

  truncate(bytes: number): void {
    if (bytes === this.#bytes) return;
    if (bytes !== 0) throw new Error('a file in memory is begun anew or left as it is');
    this.#blobs = [];
    this.#pieces = [];
    this.#pieceBytes = 0;
    this.#bytes = 0;
  }

  flush(): void {}
  close(): void {}

  blob(): Blob {
    this.#gather();
    return new Blob(this.#blobs);
  }

  #gather(): void {
    if (this.#pieceBytes === 0) return;
    this.#blobs.push(new Blob(this.#pieces));
    this.#pieces = [];
    this.#pieceBytes = 0;
  }
}
