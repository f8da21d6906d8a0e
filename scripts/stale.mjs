import { existsSync, readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';

/** Newest modification time below a file or folder, in milliseconds; folders count, so that a deletion is seen. */
function newestChangeMs(/** @type {string} */ path) {
  if (!existsSync(path)) return 0;
  const stats = statSync(path);
  if (!stats.isDirectory()) return stats.mtimeMs;
  let newest = stats.mtimeMs;
  for (const name of readdirSync(path)) newest = Math.max(newest, newestChangeMs(join(path, name)));
  return newest;
}

/**
 * Whether `output` is missing or older than any of `inputs`.
 * @param {string} output a file
 * @param {string[]} inputs files and folders; missing ones are ignored
 */
export function isStale(output, inputs) {
  if (!existsSync(output)) return true;
  const builtMs = statSync(output).mtimeMs;
  return inputs.some((input) => newestChangeMs(input) > builtMs);
}
