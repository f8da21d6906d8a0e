import { relative } from 'node:path';
import { BaseSequencer } from 'vitest/node';
import { root } from './setup.mjs';

/**
 * The test files that take longest, the longest first ("Seconds per file" of `npm test`). Two processes end together only where long
 * files begin first, and a fresh clone, which has timed none yet, would take the files of most bytes first.
 */
export const longest = [
  'tests/browser/device-loss.test.ts',
  'tests/browser/links.test.ts',
  'tests/browser/arrival.test.ts',
  'tests/browser/map.test.ts',
  'tests/browser/study.test.ts',
  'tests/browser/harness.test.ts',
  'tests/methods/fixtures-webgpu.test.ts',
  'tests/gpu/webgpu/attention.test.ts',
  'tests/methods/edge-cases.test.ts',
  'tests/cli/evaluate.test.ts',
  'tests/engine/engine-memory.test.ts',
  'tests/engine/engine.test.ts',
  'tests/docs/cli-outputs.test.ts',
  'tests/methods/each.test.ts',
  'tests/cli/evaluate-shards.test.ts',
  'tests/page/page.test.ts',
  'tests/gpu/webgpu/top-k.test.ts',
  'tests/measure/measure-layers.test.ts',
  'tests/methods/fixtures-cpu.test.ts',
  'tests/cli/kept.test.ts',
  'tests/engine/self-test-families.test.ts',
  'tests/cli/forward.test.ts',
  'tests/gpu/webgpu/probabilities.test.ts',
  'tests/gpu/webgpu/selection.test.ts',
  'tests/engine/free-runs.test.ts',
  'tests/engine/afterwards.test.ts',
  'tests/engine/engine-webgpu.test.ts',
  'tests/components/renders.test.tsx',
  'tests/components/results.test.tsx',
  'tests/components/provenance.test.tsx',
];

/** Projects whose files begin before others', which then fill what is left of both processes. */
const FIRST_PROJECT = 'browser';

/** Projects one after the other, since files of one share a process, and in each the longest files first. */
export class LongestFirst extends BaseSequencer {
  /** @override @param {import('vitest/node').TestSpecification[]} files */
  async sort(files) {
    const sorted = await super.sort(files);
    const names = [...new Set([FIRST_PROJECT, ...sorted.map(({ project }) => project.name)])];
    const rank = (/** @type {import('vitest/node').TestSpecification} */ { moduleId }) => {
      const at = longest.indexOf(relative(root, moduleId).replaceAll('\\', '/'));
      return at < 0 ? longest.length : at;
    };
    return sorted.sort(
      (a, b) => names.indexOf(a.project.name) - names.indexOf(b.project.name) || rank(a) - rank(b),
    );
  }
}
