/** Colours of weights: one logarithmic scale, and a colour ramp each for full attention, kept and missed. */
import { interpolateLab } from 'd3-interpolate';
import { scaleLinear } from 'd3-scale';
import type { Theme } from '../../src/page/choices';
import { palettes } from '../shared/palette';

/** Weights from 10^-5 to 1 have colours of their own: five decades, as an attention sink takes the top. */
const SMALLEST_EXPONENT = -5;
const STEPS = 256;

export interface ColourTables {
  /** Packed RGBA, as a Uint32Array of image data takes it, by the leading bits of a weight (`bits >>> IGNORED_BITS`). */
  readonly heat: Uint32Array;
  readonly kept: Uint32Array;
  readonly missed: Uint32Array;
  readonly faint: Uint32Array;
  readonly ground: number;
}

/**
 * Bits of a weight's 32-bit float that its colour does not depend on: a logarithm per pixel would take too long. Eight bits of
 * mantissa remain, a tenth of a step.
 */
export const IGNORED_BITS = 15;

/** The step, 0 … 255 on the logarithmic scale, by leading bits. */
const stepByBits = ((): Uint8Array => {
  const bits = new Uint32Array(1);
  const weight = new Float32Array(bits.buffer);
  return Uint8Array.from({ length: 2 ** (31 - IGNORED_BITS) }, (_, leading) => {
    bits[0] = leading << IGNORED_BITS;
    const position = 1 - Math.log10(weight[0]!) / SMALLEST_EXPONENT;
    return position >= 1 ? STEPS - 1 : position > 0 ? Math.floor(position * STEPS) : 0;
  });
})();

const known = new Map<Theme, ColourTables>();

export function colourTablesOf(theme: Theme): ColourTables {
  const found = known.get(theme);
  if (found) return found;
  const { ground, heat, kept, keptStrong, missed, missedStrong } = palettes[theme];
  const middle = interpolateLab(ground, heat);
  const tables: ColourTables = {
    heat: byBits(ramp([0, 0.45, 1], [ground, middle(0.3), heat]), ground),
    kept: byBits(
      ramp([0, 0.4, 0.72, 1], [mix(ground, kept, 0.14), mix(ground, kept, 0.44), kept, keptStrong]),
      ground,
    ),
    missed: byBits(ramp([0, 0.55, 1], [mix(ground, missed, 0.25), missed, missedStrong]), ground),
    faint: byBits(ramp([0, 1], [ground, middle(0.55)]), ground),
    ground: pack(ground),
  };
  known.set(theme, tables);
  return tables;
}

/** The same ramp for a legend. */
export function gradientOf(theme: Theme, name: 'heat' | 'kept' | 'missed'): string {
  const ramp = colourTablesOf(theme)[name];
  const stops = [0, 64, 128, 192, 255].map((step) => unpack(ramp[stepByBits.indexOf(step, 1)]!));
  return `linear-gradient(90deg, ${stops.join(', ')})`;
}

function ramp(domain: number[], colours: string[]): Uint32Array {
  const scale = scaleLinear<string>().domain(domain).range(colours).interpolate(interpolateLab);
  return Uint32Array.from({ length: STEPS }, (_, step) => pack(scale(step / (STEPS - 1))));
}

/** A ramp's colours by leading bits; the ground where there is no weight. */
function byBits(colours: Uint32Array, ground: string): Uint32Array {
  const table = Uint32Array.from(stepByBits, (step) => colours[step]!);
  table[0] = pack(ground);
  return table;
}

function mix(from: string, to: string, part: number): string {
  return interpolateLab(from, to)(part);
}

function pack(colour: string): number {
  const hex = /^#(..)(..)(..)$/.exec(colour);
  const [red, green, blue] = hex
    ? hex.slice(1).map((part) => Number.parseInt(part, 16))
    : (colour.match(/\d+/g) ?? []).map(Number);
  return ((255 << 24) | (blue! << 16) | (green! << 8) | red!) >>> 0;
}

function unpack(packed: number): string {
  return `rgb(${packed & 255} ${(packed >> 8) & 255} ${(packed >> 16) & 255})`;
}
