import { crc32, deflateSync, inflateSync } from 'node:zlib';

const SIGNATURE = Buffer.from([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a]);
const MOST_COLOURS = 256;

/**
 * A picture without alpha in at most 256 colours: its own where it has no more, otherwise the means of its most frequent shades of five
 * bits a channel, others the nearest of these.
 * @param {Uint8Array} png 8 bits a channel, not interlaced, as a Chromium writes them
 * @returns {Buffer}
 */
export function smallPng(png) {
  const { width, height, pixels } = readPng(png);
  const { palette, indices } = quantise(pixels);
  const rows = Buffer.alloc(height * (width + 1));
  for (let y = 0; y < height; y++)
    rows.set(indices.subarray(y * width, (y + 1) * width), y * (width + 1) + 1);
  const header = Buffer.alloc(13);
  header.writeUInt32BE(width, 0);
  header.writeUInt32BE(height, 4);
  // 8 bits, indices into a palette.
  header.set([8, 3, 0, 0, 0], 8);
  const colours = Buffer.from(palette.flatMap((colour) => [colour >> 16, (colour >> 8) & 255, colour & 255]));
  return Buffer.concat([
    SIGNATURE,
    chunk('IHDR', header),
    chunk('PLTE', colours),
    chunk('IDAT', deflateSync(rows, { level: 9 })),
    chunk('IEND', Buffer.alloc(0)),
  ]);
}

/** @param {string} name @param {Buffer} data */
function chunk(name, data) {
  const named = Buffer.concat([Buffer.from(name, 'latin1'), data]);
  const out = Buffer.alloc(data.length + 12);
  out.writeUInt32BE(data.length, 0);
  out.set(named, 4);
  out.writeUInt32BE(crc32(named), data.length + 8);
  return out;
}

/**
 * @param {Uint8Array} png
 * @returns {{ width: number, height: number, pixels: Uint32Array }} a number 0xRRGGBB for each pixel
 * @throws {Error} for a kind of PNG that it does not read
 */
export function readPng(png) {
  const file = Buffer.from(png);
  const [width, height] = [file.readUInt32BE(16), file.readUInt32BE(20)];
  const [bits, kind, , , interlaced] = file.subarray(24, 29);
  const channels = { 2: 3, 3: 1, 6: 4 }[kind ?? 0];
  if (bits !== 8 || !channels || interlaced) throw new Error('this PNG is of another kind');
  /** @type {Buffer[]} */
  const parts = [];
  let palette = Buffer.alloc(0);
  for (let at = 8; at < file.length; at += file.readUInt32BE(at) + 12) {
    const data = file.subarray(at + 8, at + 8 + file.readUInt32BE(at));
    const name = file.toString('latin1', at + 4, at + 8);
    if (name === 'IDAT') parts.push(data);
    if (name === 'PLTE') palette = data;
  }
  const rows = inflateSync(Buffer.concat(parts));
  const stride = width * channels;
  const bytes = Buffer.alloc(height * stride);
  for (let y = 0; y < height; y++) {
    const filter = rows[y * (stride + 1)];
    for (let x = 0; x < stride; x++) {
      const at = y * stride + x;
      const left = x < channels ? 0 : (bytes[at - channels] ?? 0);
      const up = y === 0 ? 0 : (bytes[at - stride] ?? 0);
      const corner = x < channels || y === 0 ? 0 : (bytes[at - stride - channels] ?? 0);
      const guess = [0, left, up, (left + up) >> 1, paeth(left, up, corner)][filter ?? 0] ?? 0;
      bytes[at] = (rows[y * (stride + 1) + 1 + x] ?? 0) + guess;
    }
  }
  const colours = channels === 1 ? palette : bytes;
  const pixels = Uint32Array.from({ length: width * height }, (_, i) =>
    colours.readUIntBE(channels === 1 ? 3 * (bytes[i] ?? 0) : channels * i, 3),
  );
  return { width, height, pixels };
}

/** @param {number} left @param {number} up @param {number} corner */
function paeth(left, up, corner) {
  const [a, b, c] = [left, up, corner].map((value) => Math.abs(left + up - corner - value));
  if (
    /** @type {number} */ (a) <= /** @type {number} */ (b) &&
    /** @type {number} */ (a) <= /** @type {number} */ (c)
  )
    return left;
  return /** @type {number} */ (b) <= /** @type {number} */ (c) ? up : corner;
}

/** @param {Uint32Array} pixels */
function quantise(pixels) {
  /** @type {Map<number, number>} */
  const counts = new Map();
  for (const colour of pixels) counts.set(colour, (counts.get(colour) ?? 0) + 1);
  const palette = counts.size <= MOST_COLOURS ? [...counts.keys()] : frequentShades(counts);
  /** @type {Map<number, number>} */
  const places = new Map();
  for (const colour of counts.keys()) places.set(colour, nearest(palette, colour));
  return { palette, indices: Uint8Array.from(pixels, (colour) => places.get(colour) ?? 0) };
}

/** @param {ReadonlyMap<number, number>} counts pixels by colour @returns {number[]} */
function frequentShades(counts) {
  /** @type {Map<number, { pixels: number, sums: [number, number, number] }>} */
  const shades = new Map();
  for (const [colour, pixels] of counts) {
    const key = colour & 0xf8f8f8;
    const shade = shades.get(key) ?? { pixels: 0, sums: [0, 0, 0] };
    shade.pixels += pixels;
    for (const c of /** @type {const} */ ([0, 1, 2]))
      shade.sums[c] += pixels * ((colour >> (16 - 8 * c)) & 255);
    shades.set(key, shade);
  }
  const frequent = [...shades.values()].sort((a, b) => b.pixels - a.pixels).slice(0, MOST_COLOURS);
  return frequent.map(({ pixels, sums }) =>
    sums.reduce((colour, sum) => (colour << 8) | Math.round(sum / pixels), 0),
  );
}

/** Where the nearest colour of the palette stands. @param {readonly number[]} palette @param {number} colour */
function nearest(palette, colour) {
  let [best, least] = [0, Number.POSITIVE_INFINITY];
  for (const [place, other] of palette.entries()) {
    let distance = 0;
    for (const shift of [16, 8, 0]) distance += (((colour >> shift) & 255) - ((other >> shift) & 255)) ** 2;
    if (distance < least) [best, least] = [place, distance];
  }
  return best;
}
