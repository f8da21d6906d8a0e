/**
 * What a device can do, read in one place and passed down. No other file names `navigator.gpu`, an adapter's features or
 * its limits. Every operation has a kernel that works under WebGPU's default limits and without any feature.
 */
export interface Capabilities {
  /** Adapter name for people. */
  readonly description: string;
  /** A software rasteriser: right answers, slowly. */
  readonly isFallbackAdapter: boolean;
  readonly timestampQuery: boolean;
  /** Kernels may be declared with the extension `subgroups`. */
  readonly subgroups: boolean;
  /** Threads of a subgroup; both 0 without subgroups. A kernel that needs one size asks that both be that size. */
  readonly subgroupMinSize: number;
  readonly subgroupMaxSize: number;
  /** Kernels may be declared with the extension `f16`. */
  readonly shaderF16: boolean;
  /** Threads of a workgroup, in all and along x: 256 everywhere, often more. */
  readonly maxInvocationsPerWorkgroup: number;
  /** Bytes of `var<workgroup>` of a kernel: 16 KiB everywhere, often more. */
  readonly maxWorkgroupStorageBytes: number;
  /** Largest buffer that can also be bound whole, in bytes. */
  readonly maxBufferBytes: number;
  /** All buffers together may take so much. */
  readonly memoryBytes: number;
  readonly maxWorkgroupsPerDimension: number;
  /** Threads that it takes to keep the device busy, in order of magnitude. */
  readonly parallelThreads: number;
}

/** A large GPU runs twice as many at once; a small one is only a little slower for having to share them out. */
const REAL_PARALLEL_THREADS = 131_072;

/**
 * WebGPU does not say how much memory there is. A device lends single buffers of a part of it: eight of the largest, 2 GiB
 * under the default limits, and never more than 16 GiB unasked.
 */
const BUFFERS_IN_MEMORY = 8;
const MOST_MEMORY_BYTES = 2 ** 34;

/** Limits that kernels profit from; everything else stays at WebGPU's defaults. */
const WANTED_LIMITS = [
  'maxBufferSize',
  'maxStorageBufferBindingSize',
  'maxComputeInvocationsPerWorkgroup',
  'maxComputeWorkgroupSizeX',
  'maxComputeWorkgroupStorageSize',
] as const;
const WANTED_FEATURES = ['timestamp-query', 'subgroups', 'shader-f16'] as const;

/** The page's WebGPU entry point, if this browser has one. */
export function findGpu(): GPU | undefined {
  return typeof navigator === 'undefined' ? undefined : navigator.gpu;
}

/** What to ask of an adapter: its larger limits, and the features that it has. */
export function deviceRequest(adapter: GPUAdapter): GPUDeviceDescriptor {
  const requiredLimits: Record<string, number> = {};
  for (const limit of WANTED_LIMITS) requiredLimits[limit] = adapter.limits[limit];
  const requiredFeatures = WANTED_FEATURES.filter((feature) => adapter.features.has(feature));
  return { requiredLimits, requiredFeatures };
}

export function readCapabilities(device: GPUDevice, info: GPUAdapterInfo | undefined): Capabilities {
  const { limits, features } = device;
  const isFallbackAdapter = info?.isFallbackAdapter ?? false;
  const subgroups = features.has('subgroups');
  return {
    description: describeAdapter(info),
    isFallbackAdapter,
    timestampQuery: features.has('timestamp-query'),
    subgroups,
    // Where the adapter does not say, the sizes are those that WebGPU guarantees.
    subgroupMinSize: subgroups ? (info?.subgroupMinSize ?? 4) : 0,
    subgroupMaxSize: subgroups ? (info?.subgroupMaxSize ?? 128) : 0,
    shaderF16: features.has('shader-f16'),
    maxInvocationsPerWorkgroup: Math.min(
      limits.maxComputeInvocationsPerWorkgroup,
      limits.maxComputeWorkgroupSizeX,
    ),
    maxWorkgroupStorageBytes: limits.maxComputeWorkgroupStorageSize,
    // Bindings cover whole buffers; the binding size must be a multiple of 4.
    maxBufferBytes: Math.floor(Math.min(limits.maxBufferSize, limits.maxStorageBufferBindingSize) / 16) * 16,
    memoryBytes: Math.min(MOST_MEMORY_BYTES, BUFFERS_IN_MEMORY * limits.maxBufferSize),
    maxWorkgroupsPerDimension: limits.maxComputeWorkgroupsPerDimension,
    parallelThreads: isFallbackAdapter ? 16 : REAL_PARALLEL_THREADS,
  };
}

function describeAdapter(info: GPUAdapterInfo | undefined): string {
  const name = info?.description || [info?.vendor, info?.architecture].filter(Boolean).join(' ');
  const device = info?.device && !name.includes(info.device) ? ` ${info.device}` : '';
  return `${name || 'unnamed adapter'}${device}`;
}
