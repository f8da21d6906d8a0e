// Sets up, builds the page if a source changed, and serves it: PORT=… npm start takes another port.
import { ensureInstalled, fail } from './setup.mjs';

ensureInstalled();
const { ensureApp } = await import('./bundle.mjs');
const { serveFolder } = await import('./serve.mjs');

const port = Number(process.env.PORT ?? 4173);
if (!Number.isInteger(port) || port < 0 || port > 65535) fail('PORT must be a whole number from 0 to 65535.');

const folder = await ensureApp();
try {
  const { url } = await serveFolder(folder, { port });
  console.log(`Keyhole is at ${url}  (end with Ctrl+C)`);
} catch (error) {
  if (/** @type {NodeJS.ErrnoException} */ (error).code !== 'EADDRINUSE') throw error;
  fail(`Port ${port} is in use: end the other program or choose a port, such as PORT=${port + 1} npm start.`);
}
