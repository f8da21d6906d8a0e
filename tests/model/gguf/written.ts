/** GGUF files written by hand, so that they can be wrong. */

type Value =
  | ['u32', number]
  | ['f32', number]
  | ['u64', bigint]
  | ['text', string]
  | ['texts', string[]]
  | ['raw', number[]];

export interface Written {
  magic?: string;
  version?: number;
  tensorCount?: bigint;
  metadataCount?: bigint;
  metadata?: [string, Value][];
  tensors?: { name: string; shape: (number | bigint)[]; type: number; offset: number | bigint }[];
  /** Zeros after the header, from a multiple of 32 on. */
  dataBytes?: number;
}

export function writeGguf({
  metadata = [],
  tensors = [],
  dataBytes = 0,
  ...given
}: Written): Uint8Array<ArrayBuffer> {
  const bytes: number[] = [];
  const put = (size: number, write: (view: DataView) => void) => {
    const view = new DataView(new ArrayBuffer(size));
    write(view);
    bytes.push(...new Uint8Array(view.buffer));
  };
  const u32 = (value: number) => put(4, (view) => view.setUint32(0, value, true));
  const u64 = (value: number | bigint) => put(8, (view) => view.setBigUint64(0, BigInt(value), true));
  const text = (value: string) => {
    const encoded = new TextEncoder().encode(value);
    u64(encoded.length);
    bytes.push(...encoded);
  };
  bytes.push(...new TextEncoder().encode(given.magic ?? 'GGUF'));
  u32(given.version ?? 3);
  u64(given.tensorCount ?? tensors.length);
  u64(given.metadataCount ?? metadata.length);
  for (const [key, entry] of metadata) {
    const [kind, value] = entry;
    text(key);
    if (kind === 'u32') {
      u32(4);
      u32(value);
    } else if (kind === 'f32') {
      u32(6);
      put(4, (view) => view.setFloat32(0, value, true));
    } else if (kind === 'u64') {
      u32(10);
      u64(value);
    } else if (kind === 'text') {
      u32(8);
      text(value);
    } else if (kind === 'texts') {
      u32(9);
      u32(8);
      u64(value.length);
      value.forEach(text);
    } else bytes.push(...value);
  }
  for (const { name, shape, type, offset } of tensors) {
    text(name);
    u32(shape.length);
    shape.forEach(u64);
    u32(type);
    u64(offset);
  }
  if (dataBytes > 0) while (bytes.length % 32 !== 0) bytes.push(0);
  const whole = new Uint8Array(bytes.length + dataBytes);
  whole.set(bytes);
  return whole;
}
