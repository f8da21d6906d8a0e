import { spawnSync } from 'node:child_process';
import { existsSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** Absolute path of the repository. */
export const root = fileURLToPath(new URL('..', import.meta.url));

/** Ends the program with one sentence on stderr. @param {string} sentence @returns {never} */
export function fail(sentence) {
  console.error(sentence);
  process.exit(1);
}

/**
 * Runs `npm ci` if the installed packages are missing or older than the lockfile. Uses nothing but Node, so that every
 * command works in a fresh clone. npm's output goes to stderr: stdout belongs to the command.
 */
export function ensureInstalled() {
  const [major = 0, minor = 0] = process.versions.node.split('.').map(Number);
  if (major < 20 || (major === 20 && minor < 19)) {
    fail(
      `Keyhole needs Node 20.19 or newer and this is Node ${process.versions.node}: please install a newer Node.`,
    );
  }
  const installed = join(root, 'node_modules', '.package-lock.json');
  const lockfile = join(root, 'package-lock.json');
  if (
    existsSync(installed) &&
    (!existsSync(lockfile) || statSync(installed).mtimeMs >= statSync(lockfile).mtimeMs)
  ) {
    return;
  }
  console.error('Installing packages (npm ci) …');
  const windows = process.platform === 'win32';
  const { status } = spawnSync('npm', ['ci', '--no-audit', '--no-fund'], {
    cwd: root,
    shell: windows,
    stdio: ['ignore', 2, 2],
  });
  if (status !== 0) fail('npm ci failed: see its message above, then run the command again.');
}
