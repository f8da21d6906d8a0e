import { basename } from 'node:path';
import react from '@vitejs/plugin-react';
import { defineConfig, type Plugin } from 'vite';
import { wgsl } from './scripts/wgsl.mjs';

/** The development server changes modules in the running page: by a script in the page itself, over a socket. */
function developmentPolicy(): Plugin {
  return {
    name: 'keyhole-development-policy',
    apply: 'serve',
    transformIndexHtml: (html) =>
      html
        .replace("script-src 'self'", "script-src 'self' 'unsafe-inline'")
        .replace("connect-src 'self'", "connect-src 'self' ws: wss:"),
  };
}

/**
 * Builds what `new Worker(new URL(…))` names together with the page, as one more entry of the same build: Vite's own builds of
 * workers are apart, and would send a second time what both run.
 */
function workersOfTheBuild(): Plugin {
  return {
    name: 'keyhole-workers',
    apply: 'build',
    enforce: 'pre',
    async transform(code, id) {
      const named = /new Worker\(\s*new URL\('([^']+)', import\.meta\.url\)/.exec(code);
      if (!named || id.includes('node_modules')) return null;
      const resolved = await this.resolve(named[1]!, id);
      if (!resolved) return null;
      const reference = this.emitFile({ type: 'chunk', id: resolved.id, name: basename(resolved.id, '.ts') });
      return code.replace(
        `new URL('${named[1]}', import.meta.url)`,
        `new URL(import.meta.ROLLUP_FILE_URL_${reference})`,
      );
    },
  };
}

export default defineConfig({
  // Relative addresses: the built folder works under any path.
  base: './',
  plugins: [react(), wgsl(), workersOfTheBuild(), developmentPolicy()],
  // A class is named after its file, so that it can be found from the page: Button.module.css, `.icon` is Button-icon.
  css: { modules: { generateScopedName: (name, file) => `${basename(file, '.module.css')}-${name}` } },
  // No file becomes part of an address: texts and settings are fetched, and the page's policy allows its own host.
  build: {
    outDir: 'dist/app',
    target: 'es2023',
    chunkSizeWarningLimit: 2000,
    assetsInlineLimit: 0,
    modulePreload: {
      // What a chunk preloads, it preloads by elements of the document: workers, which may run all chunks but the page's, have none.
      resolveDependencies: (_, files, { hostId, hostType }) =>
        hostType === 'html' || basename(hostId).startsWith('index-') ? files : [],
    },
  },
});
