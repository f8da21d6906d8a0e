/**
 * What a device can do, read in one place and passed down. No other file names `navigator.gpu`, an adapter's features or
 * its limits. Subgroups are not used: every kernel is portable WGSL.
 */
export interface Capabilities {
  /** Adapter name for people. */
  readonly description: string;
  /** A software rasteriser: right answers, slowly. */
  readonly isFallbackAdapter: boolean;
  readonly timestampQuery: boolean;
  /** Largest buffer that can also be bound whole, in bytes. */
  readonly maxBufferBytes: number;
  readonly maxWorkgroupsPerDimension: number;
  /** Threads that it takes to keep the device busy, in order of magnitude. */
  readonly parallelThreads: number;
}

/** A large GPU runs twice as many at once; a small one is only a little slower for having to share them out. */
const REAL_PARALLEL_THREADS = 131_072;

/** Limits the kernels profit from; everything else stays at WebGPU's defaults, under which every kernel works. */
const WANTED_LIMITS = ['maxBufferSize', 'maxStorageBufferBindingSize'] as const;

/** The page's WebGPU entry point, if this browser has one. */
export function findGpu(): GPU | undefined {
  return typeof navigator === 'undefined' ? undefined : navigator.gpu;
}

/** What to ask of an adapter: its larger buffer limits, and timestamps if it has them. */
export function deviceRequest(adapter: GPUAdapter): GPUDeviceDescriptor {
  const requiredLimits: Record<string, number> = {};
  for (const limit of WANTED_LIMITS) requiredLimits[limit] = adapter.limits[limit];
  const requiredFeatures: GPUFeatureName[] = adapter.features.has('timestamp-query')
    ? ['timestamp-query']
    : [];
  return { requiredLimits, requiredFeatures };
}

export function readCapabilities(device: GPUDevice, info: GPUAdapterInfo | undefined): Capabilities {
  const { limits, features } = device;
  const isFallbackAdapter = info?.isFallbackAdapter ?? false;
  return {
    description: describeAdapter(info),
    isFallbackAdapter,
    timestampQuery: features.has('timestamp-query'),
    // Bindings cover whole buffers; the binding size must be a multiple of 4.
    maxBufferBytes: Math.floor(Math.min(limits.maxBufferSize, limits.maxStorageBufferBindingSize) / 16) * 16,
    maxWorkgroupsPerDimension: limits.maxComputeWorkgroupsPerDimension,
    parallelThreads: isFallbackAdapter ? 16 : REAL_PARALLEL_THREADS,
  };
}

function describeAdapter(info: GPUAdapterInfo | undefined): string {
  const name = info?.description || [info?.vendor, info?.architecture].filter(Boolean).join(' ');
  const device = info?.device && !name.includes(info.device) ? ` ${info.device}` : '';
  return `${name || 'unnamed adapter'}${device}`;
}
