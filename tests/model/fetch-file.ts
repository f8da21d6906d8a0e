import { download } from '../../src/arrival/download';
import type { FetchFile } from '../../src/model/files/folder-http';

/** Files straight from the network, without a page that keeps them. */
export const fetchFile: FetchFile = (path, address, { signal }) =>
  download(path, address, {
    signal: signal ?? new AbortController().signal,
    check: () => {},
    onBytes: () => {},
    isAgreed: () => false,
  });
