/** Bundles the maker of tasks for the recipe into one file that Node runs without this checkout, and prints its path. */
import { ensureBundle } from '../../scripts/bundle.mjs';

console.log(await ensureBundle('samples/training/stream-tasks.ts', 'stream-tasks'));
