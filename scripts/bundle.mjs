import { mkdirSync, mkdtempSync, renameSync, rmSync } from 'node:fs';
import { basename, join } from 'node:path';
import { fail, root } from './setup.mjs';
import { isStale } from './stale.mjs';

const programFolders = ['src', 'gpu', 'components', 'samples'].map((name) => join(root, name));
const settings = ['package-lock.json', 'vite.config.ts', 'scripts/bundle.mjs', 'scripts/wgsl.mjs'].map(
  (name) => join(root, name),
);

/** Builds the page into dist/app unless it is newer than everything it is made from. @returns {Promise<string>} */
export async function ensureApp() {
  const folder = join(root, 'dist', 'app');
  if (isStale(join(folder, 'index.html'), [...programFolders, ...settings, join(root, 'index.html')])) {
    const { build } = await import('vite');
    await build({ root, configFile: join(root, 'vite.config.ts'), logLevel: 'warn' });
  }
  return folder;
}

/**
 * Bundles a TypeScript program for Node into one file dist/<name>.js, unless that is newer than its sources. Only the
 * `webgpu` package stays outside: it is a native module, loaded when a GPU is asked for.
 * @param {string} entry relative to the repository, such as src/cli.ts
 * @param {string} name
 * @returns {Promise<string>} the absolute path of the bundle
 */
export async function ensureBundle(entry, name) {
  const output = join(root, 'dist', `${name}.js`);
  const [entryFolder = ''] = entry.split('/');
  if (!isStale(output, [...programFolders, ...settings, join(root, entryFolder)])) return output;
  await bundle(entry, output, []);
  return output;
}

/**
 * The same with the program of another checkout: what the entry itself imports from outside its folder comes from there.
 * @param {string} entry
 * @param {string} name
 * @param {string} checkout its folder
 */
export async function bundleOfCheckout(entry, name, checkout) {
  const output = join(root, 'dist', `${name}.js`);
  /** @type {import('vite').Plugin} */
  const elsewhere = {
    name: 'elsewhere',
    enforce: 'pre',
    resolveId(source, importer) {
      if (importer !== join(root, entry) || !source.startsWith('../')) return null;
      return this.resolve(join(checkout, source.slice('../'.length)), undefined, { skipSelf: true });
    },
  };
  await bundle(entry, output, [elsewhere]);
  return output;
}

/** @param {string} entry @param {string} output @param {import('vite').Plugin[]} plugins */
async function bundle(entry, output, plugins) {
  const [{ build }, { wgsl }] = await Promise.all([import('vite'), import('./wgsl.mjs')]);
  mkdirSync(join(root, 'dist'), { recursive: true });
  // Built aside and moved into place in one step: several commands may start at the same time.
  const folder = mkdtempSync(join(root, 'dist', '.build-'));
  const removeFolder = () => rmSync(folder, { recursive: true, force: true });
  try {
    await build({
      root,
      configFile: false,
      logLevel: 'silent',
      publicDir: false,
      plugins: [wgsl(), ...plugins],
      ssr: { noExternal: true, external: ['webgpu'] },
      build: {
        ssr: join(root, entry),
        outDir: folder,
        target: 'node20',
        minify: false,
        rollupOptions: { output: { entryFileNames: basename(output), codeSplitting: false } },
      },
    });
  } catch (error) {
    removeFolder();
    fail(`${entry} could not be built: ${/** @type {Error} */ (error).message}`);
  }
  renameSync(join(folder, basename(output)), output);
  removeFolder();
}
