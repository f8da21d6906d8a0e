import { download } from '../../src/arrival/download';
import type { FetchFile } from '../../src/model/files/folder-http';

/** Files straight from the network, without a page that keeps them. */
export const fetchFile: FetchFile = async (path, address, { signal }) => {
  const blob = await download(path, address, {
    signal: signal ?? new AbortController().signal,
    check: () => {},
    onBytes: () => {},
    isAgreed: () => false,
  });
  return blob && { blob };
};
