import react from '@vitejs/plugin-react';
import { defineConfig } from 'vite';

export default defineConfig({
  // Relative addresses: the built folder works under any path.
  base: './',
  plugins: [react()],
  build: { outDir: 'dist/app', target: 'es2023', chunkSizeWarningLimit: 2000 },
  worker: { format: 'es' },
});
