import { defineConfig, mergeConfig } from 'vitest/config';
import { vulkanEnvironment } from './scripts/browser.mjs';
import { BUILT_MODULES, importsBuiltModules } from './scripts/built-modules.mjs';
import { LongestFirst } from './scripts/longest-first.mjs';
import viteConfig from './vite.config.ts';

// Test processes inherit this: Dawn in Node then runs on SwiftShader, the same on every machine.
// KEYHOLE_TEST_GPU=hardware takes the machine's own Vulkan drivers instead.
const driver = process.env.KEYHOLE_TEST_GPU === 'hardware' ? 'hardware' : 'swiftshader';
Object.assign(process.env, vulkanEnvironment(driver));

/** What these put in the place of modules must be there before anybody loads them: each has a process of its own. */
const replacingModules = ['tests/worker/worker.test.ts', 'tests/arrival/own-models.test.ts'];
const replacingComponents = ['tests/components/renders.test.tsx'];
/** Modules that Node loads by itself. */
const native = { deps: { external: [BUILT_MODULES] } };
const components = {
  environment: 'happy-dom',
  setupFiles: ['tests/components/setup.ts'],
  testTimeout: 30_000,
};

export default mergeConfig(
  viteConfig,
  defineConfig({
    test: {
      pool: 'forks',
      maxWorkers: 2,
      // A function is optimised once it has run some eight times as long as V8 would wait: most run for one test.
      execArgv: ['--interrupt-budget=1000000'],
      sequence: { sequencer: LongestFirst },
      projects: [
        {
          // Files share two processes, their modules, and a WebGPU device: loading and compiling again takes longer than the tests.
          extends: true,
          plugins: [importsBuiltModules()],
          test: {
            name: 'unit',
            server: native,
            include: ['tests/**/*.test.ts'],
            exclude: ['tests/browser/**', ...replacingModules],
            isolate: false,
            restoreMocks: true,
            unstubGlobals: true,
            testTimeout: 60_000,
            hookTimeout: 60_000,
          },
        },
        {
          extends: true,
          test: {
            name: 'replacing modules',
            include: replacingModules,
            testTimeout: 60_000,
            hookTimeout: 60_000,
          },
        },
        {
          extends: true,
          plugins: [importsBuiltModules()],
          test: {
            ...components,
            name: 'components',
            server: native,
            include: ['tests/**/*.test.tsx'],
            exclude: replacingComponents,
            isolate: false,
          },
        },
        {
          extends: true,
          test: { ...components, name: 'replacing components', include: replacingComponents },
        },
        {
          // Each file in a browser of its own.
          extends: true,
          test: {
            name: 'browser',
            include: ['tests/browser/**/*.test.ts'],
            globalSetup: ['tests/browser/global-setup.ts'],
            testTimeout: 120_000,
            hookTimeout: 120_000,
          },
        },
      ],
    },
  }),
);
