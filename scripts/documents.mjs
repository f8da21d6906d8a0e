import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { root } from './setup.mjs';

/** Documents of the repository for people, relative to it. @returns {string[]} */
export function documents() {
  const top = readdirSync(root).filter((name) => name.endsWith('.md'));
  const below = readdirSync(join(root, 'docs')).filter((name) => name.endsWith('.md'));
  const others = ['samples/training/README.md', 'tests/fixtures/README.md'];
  return [...top, ...below.map((name) => `docs/${name}`), ...others].filter((name) =>
    existsSync(join(root, name)),
  );
}
