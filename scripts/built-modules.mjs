/**
 * Programs under test as Node loads them: the modules of src, gpu and components are built once, file by file, and tests import
 * those. Vitest's own module runner would transform them again in every project, and reaches each import through a getter,
 * which makes the tests as a whole a quarter slower.
 */
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  renameSync,
  rmSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
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
const dist = join(root, 'dist');
/** Its name has the milliseconds at which its build began; another run may still load from the one before. */
const FOLDER = /^modules-\d+$/;
/** A file in it, as old as the beginning: what has changed since was not built. */
const MARK = 'built';

/** Built modules: patterns of what Vitest leaves to Node. */
export const BUILT_MODULES = /\/dist\/modules-\d+\//;

/** @param {string} path relative to the repository */
const isProgram = (path) =>
  rooms.some((room) => path.startsWith(`${room}${sep}`)) && /(?<!\.d)\.tsx?$/.test(path);

/** @type {Promise<string> | null} */
let building = null;

/**
 * A plugin of Vitest: relative imports of program modules lead to the built ones, which are made first where they are older than
 * their sources. While files are watched, modules stay Vitest's, which sees them change.
 *
 * @returns {import('vite').Plugin}
 */
export function importsBuiltModules() {
  let folder = '';
  return {
    name: 'keyhole-built-modules',
    enforce: 'pre',
    async configureVitest({ vitest }) {
      if (vitest.config.watch) return;
      building ??= ensureBuilt();
      folder = await building;
    },
    async resolveId(source, importer) {
      if (!folder || !importer || !source.startsWith('.')) return null;
      const resolved = await this.resolve(source, importer, { skipSelf: true });
      const path = resolved && relative(root, resolved.id);
      return path && isProgram(path) ? join(folder, path.replace(/\.tsx?$/, '.js')) : null;
    },
    transform(code, id) {
      if (folder && /\bvi\.(m|doM)ock\(/.test(code)) {
        throw new Error(
          `${relative(root, id)}: vi.mock replaces no module that Node loads; name the file among those that replace modules in vitest.config.ts.`,
        );
      }
    },
  };
}

/** @returns {Promise<string>} the folder of the modules */
async function ensureBuilt() {
  const inputs = [...rooms, ...alsoRead].map((name) => join(root, name));
  mkdirSync(dist, { recursive: true });
  const built = readdirSync(dist)
    .filter((name) => FOLDER.test(name) && existsSync(join(dist, name, MARK)))
    .map((name) => join(dist, name))
    .sort();
  const [newest, ...older] = built.toReversed();
  if (newest && !isStale(join(newest, MARK), inputs)) return newest;
  const begun = new Date();
  const folder = join(dist, `modules-${begun.getTime()}`);
  const aside = mkdtempSync(join(dist, '.modules-'));
  await build(aside);
  writeFileSync(join(aside, MARK), '');
  utimesSync(join(aside, MARK), begun, begun);
  renameSync(aside, folder);
  for (const name of older) rmSync(name, { recursive: true, force: true });
  return folder;
}

/** @param {string} outDir */
async function build(outDir) {
  const [vite, { default: react }, { wgsl }] = await Promise.all([
    import('vite'),
    import('@vitejs/plugin-react'),
    import('./wgsl.mjs'),
  ]);
  await vite.build({
    root,
    configFile: false,
    logLevel: 'warn',
    mode: 'test',
    publicDir: false,
    plugins: [react(), wgsl()],
    build: {
      ssr: true,
      outDir,
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
        // What plugins took is nothing that one who runs tests waits to hear.
        checks: { pluginTimings: false },
        output: { preserveModules: true, preserveModulesRoot: root, entryFileNames: '[name].js' },
      },
    },
  });
}
