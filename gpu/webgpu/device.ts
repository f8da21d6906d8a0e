import { UserError } from '../../src/base/user-error';
import { DeviceError } from '../device-error';
import { type Capabilities, deviceRequest, findGpu, readCapabilities } from './capabilities';

export interface DeviceOptions {
  /** A device that the caller owns; it is not destroyed with the operations. */
  readonly device?: GPUDevice;
  readonly adapter?: GPUAdapter;
  /** The entry point to use instead of the browser's; in Node the one that the `webgpu` package creates. */
  readonly gpu?: GPU;
  readonly powerPreference?: GPUPowerPreference;
  /** Overrides what the device says of itself, to run what another device would run. */
  readonly capabilities?: Partial<Capabilities>;
  /** Whether kernels get the loops written out that ask for it (unroll.ts), by default. As they stand a software driver compiles them faster. */
  readonly unrollsLoops?: boolean;
  /** Called once if the device is lost for another reason than `destroy()`. */
  readonly onLost?: (message: string) => void;
}

export interface OpenedDevice {
  readonly device: GPUDevice;
  readonly capabilities: Capabilities;
  readonly unrollsLoops: boolean;
  /** Destroys the device if it was opened here. */
  close(): void;
  /** Throws the first failure of the device, if there was one. */
  throwFailure(): void;
  /** Remembers what caused a failure, for the next `throwFailure`; it explains more than the errors that follow from it. */
  failBecause(cause: Error): void;
}

/**
 * Opens a WebGPU device.
 *
 * @throws UserError if there is no WebGPU or no adapter
 */
export async function openDevice(options: DeviceOptions): Promise<OpenedDevice> {
  const { device, info } = await requestDevice(options);
  let failure: Error | undefined;
  let closing = false;
  device.lost.then((info) => {
    if (closing) return;
    const message = `The GPU device was lost (${info.message || info.reason}); reload, or use the CPU backend.`;
    // A lost device makes everything fail that comes after: its loss is the failure to report.
    failure = new UserError(message);
    options.onLost?.(message);
  });
  const hear = (event: Event) => {
    const { error } = event as GPUUncapturedErrorEvent;
    // It is thrown by the next operation: the console need not have it too.
    event.preventDefault();
    failure ??=
      error instanceof GPUOutOfMemoryError
        ? new UserError(
            `The GPU has run out of memory (${error.message}); use a shorter text, a smaller model or the CPU backend.`,
          )
        : new DeviceError(`WebGPU: ${error.message}`);
  };
  device.addEventListener('uncapturederror', hear);

  return {
    device,
    capabilities: { ...readCapabilities(device, info), ...options.capabilities },
    unrollsLoops: options.unrollsLoops ?? true,
    close() {
      closing = true;
      device.removeEventListener('uncapturederror', hear);
      if (!options.device) device.destroy();
    },
    throwFailure() {
      if (failure) throw failure;
    },
    failBecause(cause) {
      failure = cause;
    },
  };
}

async function requestDevice(
  options: DeviceOptions,
): Promise<{ device: GPUDevice; info: GPUAdapterInfo | undefined }> {
  if (options.device) return { device: options.device, info: options.device.adapterInfo };
  const gpu = options.gpu ?? findGpu();
  if (!options.adapter && !gpu) {
    throw new UserError(
      'This browser has no WebGPU; use a current Chrome, Edge, Safari or Firefox, or the CPU backend.',
    );
  }
  const { powerPreference } = options;
  const adapter = options.adapter ?? (await gpu?.requestAdapter(powerPreference ? { powerPreference } : {}));
  if (!adapter) throw new UserError('WebGPU found no graphics adapter on this machine; use the CPU backend.');
  return { device: await adapter.requestDevice(deviceRequest(adapter)), info: adapter.info };
}
