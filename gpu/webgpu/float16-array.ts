import { Float16Array } from '@petamoriken/float16';

// webgpu-utils reads the global Float16Array while it loads. Node 20 and browsers of early 2025 have none. To be imported
// before webgpu-utils.
if (!('Float16Array' in globalThis)) Object.assign(globalThis, { Float16Array });
