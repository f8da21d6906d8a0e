import { UserError } from '../user-error';
import type { ModelFolder } from './load';
import { quote } from './quote';

/**
 * A model folder on the network: `files` is its address, or the address of each of its files (as a build renames them).
 * Relative addresses count from the page or worker.
 */
export function httpFolder(name: string, files: string | Readonly<Record<string, string>>): ModelFolder {
  const addressOf = (path: string): string | null => {
    if (typeof files !== 'string') return Object.hasOwn(files, path) ? files[path] : null;
    return `${files.replace(/\/*$/, '')}/${path}`;
  };
  return {
    name,
    read: async (path) => {
      const address = addressOf(path);
      return address === null ? null : fetchBytes(path, address);
    },
  };
}

async function fetchBytes(path: string, address: string): Promise<Uint8Array<ArrayBuffer> | null> {
  let response: Response;
  try {
    response = await fetch(address);
    if (response.status === 404 || response.status === 410) return null;
    // Servers of single-page programs answer with the page itself where there is no such file.
    if (response.ok && response.headers.get('content-type')?.startsWith('text/html')) return null;
    if (response.ok) return new Uint8Array(await response.arrayBuffer());
  } catch {
    throw new UserError(
      `${path} could not be fetched from ${quote(address, 200)}; check the address and connection.`,
    );
  }
  throw new UserError(
    `${path} could not be fetched from ${quote(address, 200)}: the server answered ${response.status}.`,
  );
}
