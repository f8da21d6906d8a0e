import { defineConfig, mergeConfig } from 'vitest/config';
import { vulkanEnvironment } from './scripts/browser.mjs';
import viteConfig from './vite.config.ts';

// Test processes inherit this: Dawn in Node then runs on SwiftShader, the same on every machine.
// KEYHOLE_TEST_GPU=hardware takes the machine's own Vulkan drivers instead.
const driver = process.env.KEYHOLE_TEST_GPU === 'hardware' ? 'hardware' : 'swiftshader';
Object.assign(process.env, vulkanEnvironment(driver));

export default mergeConfig(
  viteConfig,
  defineConfig({
    test: {
      pool: 'forks',
      maxWorkers: 2,
      projects: [
        {
          extends: true,
          test: {
            name: 'unit',
            include: ['tests/**/*.test.ts'],
            exclude: ['tests/browser/**'],
            testTimeout: 60_000,
            hookTimeout: 60_000,
          },
        },
        {
          extends: true,
          test: {
            name: 'components',
            include: ['tests/**/*.test.tsx'],
            environment: 'happy-dom',
            setupFiles: ['tests/components/setup.ts'],
            testTimeout: 30_000,
          },
        },
        {
          // After the others and one file at a time: a page on SwiftShader takes every core.
          extends: true,
          test: {
            name: 'browser',
            include: ['tests/browser/**/*.test.ts'],
            globalSetup: ['tests/browser/global-setup.ts'],
            fileParallelism: false,
            sequence: { groupOrder: 1 },
            testTimeout: 120_000,
            hookTimeout: 120_000,
          },
        },
      ],
    },
  }),
);
