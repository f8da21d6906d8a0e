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

export default defineConfig({
  // Relative addresses: the built folder works under any path.
  base: './',
  plugins: [react(), wgsl(), developmentPolicy()],
  // A class is named after its file, so that it can be found from the page: Button.module.css, `.icon` is Button-icon.
  css: { modules: { generateScopedName: (name, file) => `${basename(file, '.module.css')}-${name}` } },
  // No file becomes part of an address: texts and settings are fetched, and the page's policy allows its own host.
  build: { outDir: 'dist/app', target: 'es2023', chunkSizeWarningLimit: 2000, assetsInlineLimit: 0 },
  worker: { format: 'es', plugins: () => [wgsl()] },
});
