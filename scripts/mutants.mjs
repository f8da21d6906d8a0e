/**
 * Bugs with the tests that must see them (scripts/mutate.mjs).
 * @typedef {object} Mutant
 * @property {string} name what goes wrong
 * @property {string} file
 * @property {string} from text that the file has once
 * @property {string} to
 * @property {number} [at] where `from` stands, for a text that is there more often
 * @property {readonly string[]} tests
 */

/** @type {readonly Mutant[]} */
export const mutants = [
  {
    name: 'dilation reaches one token too few to the left',
    file: 'gpu/webgpu/kernels/dilate.wgsl',
    from: 'var w = j - min(j, params.radius)',
    to: 'var w = j - min(j, max(params.radius, 1u) - 1u)',
    tests: ['tests/gpu/webgpu/selection'],
  },
  {
    name: 'two candidates equal at the cut are not told apart by the second score',
    file: 'gpu/webgpu/kernels/top-k.wgsl',
    from: 'params.hasSecondary == 1u && cut.available > 1u',
    to: 'params.hasSecondary == 1u && cut.available > 2u',
    tests: ['tests/gpu/webgpu/top-k'],
  },
  {
    name: 'of equal candidates the last ones are kept',
    file: 'gpu/webgpu/kernels/top-k.wgsl',
    from: 'equal < cut.needed);\n      equal',
    to: 'equal >= cut.available - cut.needed);\n      equal',
    tests: ['tests/gpu/webgpu/top-k'],
  },
  {
    name: 'the sum over heads of a group lacks the last',
    file: 'gpu/webgpu/kernels/sum-heads.wgsl',
    from: 'head < params.perGroup',
    to: 'head + 1u < params.perGroup',
    tests: ['tests/gpu/webgpu/selection'],
  },
  {
    name: 'equal tokens share a rank',
    file: 'gpu/webgpu/kernels/segment-ranks.wgsl',
    from: 'input[start + other] <= own',
    to: 'input[start + other] < own',
    tests: ['tests/gpu/webgpu/selection'],
  },
  {
    name: 'two attentions are merged by the wrong one of their weights',
    file: 'gpu/webgpu/kernels/merge-attention.wgsl',
    from: 'fromWeight = select(ratio, 1.0, difference >= 0.0)',
    to: 'fromWeight = select(1.0, ratio, difference >= 0.0)',
    tests: ['tests/gpu/webgpu/attention.test'],
  },
  {
    name: 'merged log-sum-exp without its logarithm',
    file: 'gpu/webgpu/kernels/merge-attention.wgsl',
    from: 'larger + log(1.0 + ratio)',
    to: 'larger + ratio',
    tests: ['tests/gpu/webgpu/attention.test'],
  },
  {
    name: 'LagKV: deviation over n instead of n − 1 channels',
    file: 'gpu/webgpu/kernels/lag-scores.wgsl',
    from: 'f32(view.channels - 1u)',
    to: 'f32(view.channels)',
    tests: ['tests/gpu/webgpu/selection'],
  },
  {
    name: 'LagKV: ranges of the partition itself instead of the next',
    file: 'gpu/webgpu/kernels/lag-scores.wgsl',
    from: 'let next = view.start + params.lagTokens * view.rowStride',
    to: 'let next = view.start',
    tests: ['tests/gpu/webgpu/selection'],
  },
  {
    name: 'mass by class takes the set of another head',
    file: 'gpu/webgpu/kernels/mass-by-class.wgsl',
    from: 'grouping * params.sets + head / params.headsPerSet',
    to: 'grouping * params.sets + head % params.sets',
    tests: ['tests/gpu/webgpu/weights'],
  },
  {
    name: 'ESA: the inner maximum of Eq. 4 is not taken away',
    file: 'gpu/webgpu/kernels/peak-scores.wgsl',
    from: 'left[r] - peak',
    to: 'left[r]',
    tests: ['tests/gpu/webgpu/peak-scores'],
  },
  {
    name: 'column sums of a query see one key too many',
    file: 'gpu/webgpu/kernels/attention-column-sums.wgsl',
    from: 'let end = vec4u(limit(row + r));',
    to: 'let end = vec4u(limit(row + r) + 1u);',
    tests: ['tests/gpu/webgpu/weights'],
  },
  {
    name: 'a map pixel leaves out its first row',
    file: 'gpu/webgpu/kernels/attention-tiles.wgsl',
    from: 'let firstRow = tiles[3u * tile + 1u] + y * params.tokensPerPixel;',
    to: 'let firstRow = tiles[3u * tile + 1u] + y * params.tokensPerPixel + u32(params.tokensPerPixel > 1u);',
    tests: ['tests/gpu/webgpu/attention-tiles'],
  },
  {
    name: 'rotary positions turn the other way',
    file: 'gpu/webgpu/kernels/rotate.wgsl',
    from: 'out[goal + c] = low * cosineHere - high * sineHere;',
    to: 'out[goal + c] = low * cosineHere + high * sineHere;',
    tests: ['tests/gpu/webgpu/rows'],
  },
];

/** Mutants that change nothing that can be observed. @type {readonly { name: string, file: string, why: string }[]} */
export const equivalents = [];
