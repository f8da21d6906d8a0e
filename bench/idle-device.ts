/**
 * A WebGPU device that does nothing: every call returns at once, every read gives zeros. What is measured on it is the time
 * that encoding takes by itself, without the GPU and without the implementation of WebGPU.
 */

/** How often each call that reaches a real device's driver was made. */
export interface Calls {
  dispatches: number;
  passes: number;
  submissions: number;
  buffers: number;
  bindGroups: number;
  pipelines: number;
  writes: number;
  /** Copies between buffers, those of results among them. */
  copies: number;
  /** Waits for results: one for all that was asked for together. */
  readbacks: number;
  /** Of results. */
  bytesRead: number;
}

export interface IdleDevice {
  readonly device: GPUDevice;
  readonly calls: Calls;
}

/** Constants of WebGPU that a browser has as globals. */
const globals = {
  GPUBufferUsage: {
    MAP_READ: 1,
    MAP_WRITE: 2,
    COPY_SRC: 4,
    COPY_DST: 8,
    INDEX: 16,
    VERTEX: 32,
    UNIFORM: 64,
    STORAGE: 128,
    INDIRECT: 256,
    QUERY_RESOLVE: 512,
  },
  GPUShaderStage: { VERTEX: 1, FRAGMENT: 2, COMPUTE: 4 },
  GPUMapMode: { READ: 1, WRITE: 2 },
  GPUOutOfMemoryError: class extends Error {},
};

const LIMITS = {
  maxBufferSize: 2 ** 31,
  maxStorageBufferBindingSize: 2 ** 31 - 4,
  maxComputeWorkgroupsPerDimension: 65_535,
  maxComputeInvocationsPerWorkgroup: 1024,
  maxComputeWorkgroupSizeX: 1024,
  maxComputeWorkgroupStorageSize: 49_152,
};

/** Makes one; defines WebGPU's global constants where they are missing. */
export function createIdleDevice(): IdleDevice {
  for (const [name, value] of Object.entries(globals)) {
    if (!(name in globalThis)) Object.assign(globalThis, { [name]: value });
  }
  const calls: Calls = {
    dispatches: 0,
    passes: 0,
    submissions: 0,
    buffers: 0,
    bindGroups: 0,
    pipelines: 0,
    writes: 0,
    copies: 0,
    readbacks: 0,
    bytesRead: 0,
  };
  const nothing = () => {};
  const pass = {
    setPipeline: nothing,
    setBindGroup: nothing,
    dispatchWorkgroups: () => void calls.dispatches++,
    end: nothing,
  };
  const encoder = {
    beginComputePass() {
      calls.passes++;
      return pass;
    },
    clearBuffer: nothing,
    copyBufferToBuffer: () => void calls.copies++,
    resolveQuerySet: nothing,
    finish: () => ({}),
  };
  const pipeline = () => {
    calls.pipelines++;
    return {};
  };
  const device = {
    limits: LIMITS,
    features: new Set(['timestamp-query', 'subgroups']),
    adapterInfo: { description: 'a device that does nothing', subgroupMinSize: 32, subgroupMaxSize: 32 },
    lost: new Promise(nothing),
    queue: {
      submit: () => void calls.submissions++,
      writeBuffer: () => void calls.writes++,
      onSubmittedWorkDone: async () => {},
    },
    addEventListener: nothing,
    removeEventListener: nothing,
    destroy: nothing,
    pushErrorScope: nothing,
    popErrorScope: async () => null,
    createShaderModule: () => ({ getCompilationInfo: async () => ({ messages: [] }) }),
    createComputePipeline: pipeline,
    createComputePipelineAsync: async () => pipeline(),
    createBindGroupLayout: () => ({}),
    createPipelineLayout: () => ({}),
    createQuerySet: () => ({ destroy: nothing }),
    createBindGroup() {
      calls.bindGroups++;
      return {};
    },
    createBuffer({ size }: GPUBufferDescriptor) {
      calls.buffers++;
      return {
        size,
        destroy: nothing,
        mapAsync: async () => void calls.readbacks++,
        getMappedRange(_offset = 0, length = size) {
          calls.bytesRead += length;
          return new ArrayBuffer(length);
        },
        unmap: nothing,
      };
    },
    createCommandEncoder: () => encoder,
  };
  return { device: device as unknown as GPUDevice, calls };
}

/** Calls made between two counts. */
export function difference(after: Calls, before: Calls): Calls {
  const entries = Object.entries(after).map(([name, count]) => [name, count - before[name as keyof Calls]]);
  return Object.fromEntries(entries) as Calls;
}
