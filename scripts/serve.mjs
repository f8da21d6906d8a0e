import { createServer } from 'node:http';
import sirv from 'sirv';

/**
 * Serves a folder of static files on localhost, without any special header: what a page host without settings does.
 * @param {string} folder
 * @param {{ port?: number, prefix?: string }} [options] port 0 takes a free one; prefix is the path the folder appears
 *   under, with a slash at both ends
 * @returns {Promise<{ url: string, close: () => Promise<void> }>} rejects with EADDRINUSE if the port is taken
 */
export async function serveFolder(folder, { port = 0, prefix = '/' } = {}) {
  const handle = sirv(folder, { dev: true, etag: true });
  const server = createServer((request, response) => {
    const notFound = () => {
      response.writeHead(404).end('Not found');
    };
    if (request.url?.startsWith(prefix)) {
      request.url = `/${request.url.slice(prefix.length)}`;
      handle(request, response, notFound);
    } else {
      notFound();
    }
  });
  await new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, 'localhost', () => resolve(undefined));
  });
  const address = /** @type {import('node:net').AddressInfo} */ (server.address());
  return {
    url: `http://localhost:${address.port}${prefix}`,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}
