/** Bytes made shorter by the platform's own deflate, for links and the recorded study. */

/** @throws ReferenceError where the platform has no compression streams */
export function deflate(bytes: Uint8Array<ArrayBuffer>): Promise<Uint8Array<ArrayBuffer>> {
  return collect(through(bytes, new CompressionStream('deflate-raw')), Number.POSITIVE_INFINITY);
}

/**
 * What was deflated. @throws RangeError for more than `longest` bytes: a small file must not unfold into gigabytes;
 * an error of the platform's for damaged bytes
 */
export function inflate(bytes: Uint8Array<ArrayBuffer>, longest: number): Promise<Uint8Array<ArrayBuffer>> {
  return collect(through(bytes, new DecompressionStream('deflate-raw')), longest);
}

function through(
  bytes: Uint8Array<ArrayBuffer>,
  transform: { readable: ReadableStream<Uint8Array>; writable: WritableStream<BufferSource> },
): ReadableStream<Uint8Array> {
  const writer = transform.writable.getWriter();
  // Failures surface where the other end is read.
  writer.write(bytes).catch(() => {});
  writer.close().catch(() => {});
  return transform.readable;
}

async function collect(
  stream: ReadableStream<Uint8Array>,
  longest: number,
): Promise<Uint8Array<ArrayBuffer>> {
  const reader = stream.getReader();
  const parts: Uint8Array[] = [];
  let size = 0;
  for (;;) {
    const { done, value } = await reader.read();
    if (done) break;
    size += value.length;
    if (size > longest) {
      await reader.cancel();
      throw new RangeError(`what was deflated is longer than ${longest} bytes`);
    }
    parts.push(value);
  }
  const whole = new Uint8Array(size);
  let offset = 0;
  for (const part of parts) {
    whole.set(part, offset);
    offset += part.length;
  }
  return whole;
}
