/** The browser's own storage (origin private file system), in a worker, where files can be written in place. */

import type { ModelStorage, StoredFile } from './storage';

const FOLDER = 'models';

/** What workers have and the compiler's library for pages does not know. */
interface WritableInPlace extends FileSystemFileHandle {
  createSyncAccessHandle(): Promise<{
    getSize(): number;
    write(bytes: Uint8Array<ArrayBuffer>, options: { readonly at: number }): number;
    read(bytes: Uint8Array<ArrayBuffer>, options: { readonly at: number }): number;
    truncate(bytes: number): void;
    flush(): void;
    close(): void;
  }>;
}

/** Null where this browser has none that can be written to: then models stay in memory. */
export async function openBrowserStorage(): Promise<ModelStorage | null> {
  if (
    !('FileSystemFileHandle' in globalThis) ||
    !('createSyncAccessHandle' in FileSystemFileHandle.prototype)
  )
    return null;
  try {
    const root = await navigator.storage.getDirectory();
    return new BrowserStorage(await root.getDirectoryHandle(FOLDER, { create: true }));
  } catch {
    // Private windows of some browsers refuse.
    return null;
  }
}

class BrowserStorage implements ModelStorage {
  readonly #folder: FileSystemDirectoryHandle;

  constructor(folder: FileSystemDirectoryHandle) {
    this.#folder = folder;
  }

  async directories(): Promise<string[]> {
    const names: string[] = [];
    for await (const [name, { kind }] of this.#folder.entries()) if (kind === 'directory') names.push(name);
    return names.sort();
  }

  async open(directory: string, file: string): Promise<StoredFile> {
    const folder = await this.#folder.getDirectoryHandle(directory, { create: true });
    const handle = await folder.getFileHandle(file, { create: true });
    const access = await (handle as WritableInPlace).createSyncAccessHandle();
    return {
      bytes: () => access.getSize(),
      write(piece, at) {
        for (let done = 0; done < piece.byteLength; ) {
          const written = access.write(piece.subarray(done), { at: at + done });
          if (written === 0) throw new DOMException('the storage takes no more', 'QuotaExceededError');
          done += written;
        }
      },
      async read(begin, end) {
        const bytes = new Uint8Array(end - begin);
        return bytes.subarray(0, access.read(bytes, { at: begin }));
      },
      truncate: (bytes) => access.truncate(bytes),
      flush: () => access.flush(),
      close: () => access.close(),
    };
  }

  async blob(directory: string, file: string): Promise<Blob | null> {
    try {
      const folder = await this.#folder.getDirectoryHandle(directory);
      return await (await folder.getFileHandle(file)).getFile();
    } catch {
      return null;
    }
  }

  async remove(directory: string, file?: string): Promise<void> {
    try {
      if (file === undefined) await this.#folder.removeEntry(directory, { recursive: true });
      else await (await this.#folder.getDirectoryHandle(directory)).removeEntry(file);
    } catch (error) {
      if ((error as DOMException).name !== 'NotFoundError') throw error;
    }
  }

  async roomBytes(): Promise<number | null> {
    const { quota, usage } = await navigator.storage.estimate();
    return quota === undefined || usage === undefined ? null : quota - usage;
  }
}
