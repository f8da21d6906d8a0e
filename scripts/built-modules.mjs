/**
 * Programs under test as Node loads them: the modules of src, gpu and components are built once, file by file, and tests import
 * those. Vitest's own module runner would transform them again in every project, and reaches each import through a getter,
 * which makes the tests as a whole a quarter slower.
 */
import { mkdirSync, mkdtempSync, readdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join, relative, sep } from 'node:path';
import { root } from './setup.mjs';
import { isStale } from './stale.mjs';

const rooms = ['src', 'gpu', 'components'];
/** Settings and files that modules carry a part of. */
const alsoRead = [
  'samples',
  'package.json',
  'package-lock.json',
  'scripts/built-modules.mjs',
  'scripts/wgsl.mjs',
];
const folder = join(root, 'dist', 'modules');
/** Written once all modules are. */
const mark = join(folder, 'built');

/** The folder of the built modules: patterns of what Vitest leaves to Node. */
export const BUILT_MODULES = /\/dist\/modules\//;

/** @param {string} path relative to the repository */
const isProgram = (path) =>
  rooms.some((room) => path.startsWith(`${room}${sep}`)) && /(?<!\.d)\.tsx?$/.test(path);

/** @type {Promise<void> | null} */
let building = null;

/**
 * A plugin of Vitest: relative imports of program modules lead to the built ones, which are made first where they are older than
 * their sources. While files are watched, modules stay Vitest's, which sees them change.
 *
 * @returns {import('vite').Plugin}
 */
export function importsBuiltModules() {
  let isWatching = false;
  return {
    name: 'keyhole-built-modules',
    enforce: 'pre',
    async configureVitest({ vitest }) {
      isWatching = vitest.config.watch;
      if (isWatching) return;
      building ??= ensureBuilt();
      await building;
    },
    async resolveId(source, importer) {
      if (isWatching || !importer || !source.startsWith('.')) return null;
      const resolved = await this.resolve(source, importer, { skipSelf: true });
      const path = resolved && relative(root, resolved.id);
      return path && isProgram(path) ? join(folder, path.replace(/\.tsx?$/, '.js')) : null;
    },
  };
}

async function ensureBuilt() {
  const inputs = [...rooms, ...alsoRead].map((name) => join(root, name));
  if (!isStale(mark, inputs)) return;
  const [{ build }, { default: react }, { wgsl }] = await Promise.all([
    import('vite'),
    import('@vitejs/plugin-react'),
    import('./wgsl.mjs'),
  ]);
  mkdirSync(join(root, 'dist'), { recursive: true });
  const aside = mkdtempSync(join(root, 'dist', '.modules-'));
  await build({
    root,
    configFile: false,
    logLevel: 'warn',
    mode: 'test',
    publicDir: false,
    plugins: [react(), wgsl()],
    build: {
      ssr: true,
      outDir: aside,
      target: 'node20',
      minify: false,
      sourcemap: true,
      rollupOptions: {
        input: rooms.flatMap((room) =>
          readdirSync(join(root, room), { recursive: true, encoding: 'utf8' })
            .map((name) => join(room, name))
            .filter(isProgram)
            .map((path) => join(root, path)),
        ),
        treeshake: false,
        output: { preserveModules: true, preserveModulesRoot: root, entryFileNames: '[name].js' },
      },
    },
  });
  rmSync(folder, { recursive: true, force: true });
  renameSync(aside, folder);
  writeFileSync(mark, '');
}
