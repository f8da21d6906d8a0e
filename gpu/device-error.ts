/** A device that does not do what it must: another one, or the CPU, may still. */
export class DeviceError extends Error {
  override readonly name = 'DeviceError';
}

/** By name, so that it holds across workers and bundles. */
export function isDeviceError(error: unknown): boolean {
  return error instanceof Error && error.name === 'DeviceError';
}
