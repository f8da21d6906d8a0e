/** Named constants put in front of a kernel's code: numbers become `u32`. */
export type KernelConstants = Readonly<Record<string, number | boolean>>;

const MARK = '// unrolled';
const MARKED_LOOP = /for \(var (\w+) = 0u; \1 < ([^;]+); \1\+\+\) \{ \/\/ unrolled$/gm;

/**
 * Writes out the loops of a kernel whose first line ends with the comment `// unrolled`: arrays that are indexed by their
 * counters then stay in registers under every driver, as registers have no indices. A loop runs from `0u` to a product of
 * numbers and constants. Lines keep their numbers.
 *
 * @throws if a bound is anything else
 */
export function unrollLoops(code: string, constants: KernelConstants): string {
  if (!code.includes(MARK)) return code;
  // From the last one on: inner loops come before those around them.
  for (const loop of [...code.matchAll(MARKED_LOOP)].reverse()) {
    const [header, counter = '', bound = ''] = loop;
    const bodyStart = loop.index + header.length;
    const bodyEnd = endOfBlock(code, bodyStart);
    const body = code.slice(bodyStart, bodyEnd);
    const onOneLine = body.replaceAll(/\/\/.*$/gm, '').replaceAll(/\s*\n\s*/g, ' ');
    const use = new RegExp(`(?<!\\.)\\b${counter}\\b`, 'g');
    const count = boundOf(bound, constants);
    // Only the first keeps its line breaks.
    const copies = Array.from({ length: count }, (_, i) =>
      (i === 0 ? body : onOneLine).replaceAll(use, `${i}u`),
    );
    const blocks = copies.map((copy) => `{${copy}}`).join(' ');
    code = code.slice(0, loop.index) + blocks + code.slice(bodyEnd + 1);
  }
  return code;
}

/** Index of the brace that closes the block whose inside starts at `start`. */
function endOfBlock(code: string, start: number): number {
  let depth = 1;
  for (let at = start; at < code.length; at++) {
    if (code[at] === '{') depth += 1;
    else if (code[at] === '}') depth -= 1;
    if (depth === 0) return at;
  }
  throw new Error('a loop to be unrolled has no end');
}

/** The number that is a product like `4u * ROWS`. */
function boundOf(bound: string, constants: KernelConstants): number {
  return bound.split('*').reduce((product, text) => {
    const factor = text.trim();
    const value = /^\d+u$/.test(factor) ? Number.parseInt(factor, 10) : constants[factor];
    if (typeof value !== 'number')
      throw new Error(`a loop to be unrolled ends at ${bound}: ${factor} is no number`);
    return product * value;
  }, 1);
}
