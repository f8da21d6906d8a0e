import { describe, expect, test } from 'vitest';
import { UserError } from '../../src/base/user-error';
import { readCapture, writeCapture } from '../../src/model/capture/capture';
import { bytesInMemory, type FileBytes } from '../../src/model/files/file-bytes';
import { openSafetensors, readSafetensors, type SafetensorsFile } from '../../src/model/files/safetensors';
import { type TensorToWrite, writeSafetensors } from '../../src/model/files/safetensors-writer';
import { fixtureTensors } from './files';

const fixture = fixtureTensors('methods.inputs.safetensors');

/** The fixture with tensors left out, metadata replaced, and tensors put in their places. */
function changed(options: {
  leaveOut?: RegExp;
  metadata?: Record<string, string>;
  tensors?: Record<string, TensorToWrite>;
}): SafetensorsFile {
  const tensors: Record<string, TensorToWrite> = {};
  for (const name of fixture.names()) {
    if (/^(attention|head_output)/.test(name) || options.leaveOut?.test(name)) continue;
    const { type, shape, toInt32, toFloat32 } = fixture.tensor(name);
    tensors[name] =
      type === 'I32' ? { dtype: 'I32', shape, data: toInt32() } : { dtype: 'F32', shape, data: toFloat32() };
  }
  return readSafetensors(
    writeSafetensors({ ...tensors, ...options.tensors }, options.metadata ?? fixture.metadata),
  );
}

const capture = await readCapture(fixture);
const bare = await readCapture(changed({ leaveOut: /unrotated/ }));

describe('the capture fixture', () => {
  test('is described by its shapes and metadata', async () => {
    const { layer, inputIds, injected: _injected, outputProjection: _output, ...described } = capture;
    expect(described).toEqual({
      layers: 4,
      presentLayers: [0, 1, 2, 3],
      tokens: 192,
      queryHeads: 4,
      keyValueHeads: 2,
      headDimension: 16,
      attentionScale: 0.25,
      rope: { kind: 'default', theta: 10000 },
      positionOffset: 0,
      answerStart: null,
      trainedTokens: null,
      model: 'random Llama with sharpened attention',
      tokenTexts: null,
      unrotatedMissing: null,
      notices: [],
      outputRows: 0,
    });
    expect(inputIds).toEqual(fixture.int32('input_ids'));
    expect((await layer(2)).query).toEqual(fixture.float32('query.2'));
  });
});

describe('un-rotated queries and keys', () => {
  test('are computed by the inverse rotation, within 1e-5 of those that were left out', async () => {
    for (const index of bare.presentLayers) {
      const computed = await bare.layer(index);
      for (const [part, values] of [
        ['query', computed.queryUnrotated],
        ['key', computed.keyUnrotated],
      ] as const) {
        const expected = fixture.float32(`${part}_unrotated.${index}`);
        const largest = expected.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
        const worst = expected.reduce((most, value, i) => Math.max(most, Math.abs(value - values![i]!)), 0);
        expect(worst).toBeLessThan(1e-5 * largest);
        // The rotation is no small change: the rotated values themselves would fail by far.
        const rotated = fixture.float32(`${part}.${index}`);
        expect(expected.some((value, i) => Math.abs(value - rotated[i]!) > 0.5 * largest)).toBe(true);
      }
    }
  });

  test('need only the theta', async () => {
    const { rope: _, ...metadata } = fixture.metadata;
    const capture = await readCapture(changed({ leaveOut: /unrotated/, metadata }));
    expect(capture.rope).toEqual({ kind: 'default', theta: 10000 });
    expect((await capture.layer(1)).keyUnrotated).toEqual((await bare.layer(1)).keyUnrotated);
  });

  test('follow the position of the first token', async () => {
    const capture = await readCapture(
      changed({ leaveOut: /unrotated/, metadata: { ...fixture.metadata, position_offset: '7' } }),
    );
    expect(capture.positionOffset).toBe(7);
    // Token t at position t + 7: undoing the first row must turn it by 7 positions, where offset 0 leaves it as it is.
    const d = capture.headDimension;
    expect((await bare.layer(0)).queryUnrotated?.slice(0, d)).toEqual(
      (await bare.layer(0)).query.slice(0, d),
    );
    const [a, b] = [(await bare.layer(0)).query[0], (await bare.layer(0)).query[d / 2]];
    const turned = a! * Math.cos(7) + b! * Math.sin(7);
    expect(Math.abs((await capture.layer(0)).queryUnrotated![0]! - turned)).toBeLessThan(1e-5);
  });

  test('are missing, with the reason, where nothing says how the rotation went', async () => {
    const capture = await readCapture(
      changed({ leaveOut: /key_unrotated/, metadata: { format: 'keyhole-capture-1' } }),
    );
    expect((await capture.layer(0)).keyUnrotated).toBe(null);
    expect((await capture.layer(0)).queryUnrotated).toEqual(fixture.float32('query_unrotated.0'));
    expect(capture.unrotatedMissing).toMatch(/^The capture has no un-rotated queries and keys, and no rope/);
  });
});

describe('a capture may', () => {
  test('lack layers', async () => {
    const capture = await readCapture(changed({ leaveOut: /\.[02]$/ }));
    expect(capture.presentLayers).toEqual([1, 3]);
    expect(capture.layers).toBe(4);
  });

  test('lack all metadata', async () => {
    const capture = await readCapture(changed({ metadata: {} }));
    expect(capture.notices).toEqual([
      'The capture does not name its format; it is read as keyhole-capture-1.',
    ]);
    expect(capture).toMatchObject({ layers: 4, attentionScale: 0.25, rope: null, unrotatedMissing: null });
  });

  test('come in F16', async () => {
    const half = (heads: number): TensorToWrite => ({
      dtype: 'F16',
      shape: [heads, 2, 4],
      data: Float32Array.from({ length: heads * 8 }, (_, i) => i / 8),
    });
    const tensors = { 'query.0': half(2), 'key.0': half(1), 'value.0': half(1) };
    const capture = await readCapture(readSafetensors(writeSafetensors(tensors, { rope_theta: '100' })));
    expect((await capture.layer(0)).value).toEqual(tensors['value.0'].data);
  });
});

test('what is written is read back, with further tensors beside it', async () => {
  const original = await readCapture(fixture);
  const tokenTexts = Array.from({ length: 192 }, (_, i) => `token "${i}"\n`);
  const logits: TensorToWrite = { dtype: 'F32', shape: [1, 2], data: Float32Array.of(1, 2) };
  const layers = await Promise.all(original.presentLayers.map(original.layer));
  const file = readSafetensors(
    writeCapture(
      {
        ...original,
        layer: (index) => layers[index]!,
        tokenTexts,
        positionOffset: 3,
        answerStart: 180,
        trainedTokens: 96,
      },
      { logits },
    ),
  );
  const { layer, injected: _injected, outputProjection: _output, ...described } = await readCapture(file);
  const { layer: originalLayer, injected: _own, outputProjection: _ownOutput, ...expected } = original;
  expect(described).toEqual({
    ...expected,
    tokenTexts,
    positionOffset: 3,
    answerStart: 180,
    trainedTokens: 96,
  });
  for (const index of original.presentLayers) expect(await layer(index)).toEqual(await originalLayer(index));
  expect(file.float32('logits')).toEqual(logits.data);
});

describe('is refused in a sentence', () => {
  const values = (...shape: number[]): TensorToWrite => ({
    dtype: 'F32',
    shape,
    data: new Float32Array(shape.reduce((product, size) => product * size, 1)),
  });
  const metadata = (more: Record<string, string>) => changed({ metadata: { ...fixture.metadata, ...more } });
  const tensors = (more: Record<string, TensorToWrite>) => changed({ tensors: more });
  const infinite = Float32Array.from(fixture.float32('key.1'));
  infinite[5] = Number.POSITIVE_INFINITY;

  test.each<[string, SafetensorsFile, string]>([
    ['no layer at all', changed({ leaveOut: /^query/ }), 'The file is no capture: it has no tensor query.0'],
    ['a layer without values', changed({ leaveOut: /^value.2/ }), 'The capture lacks tensor value.2.'],
    [
      'another format',
      metadata({ format: 'keyhole-capture-9' }),
      'The capture has format "keyhole-capture-9"; this version reads keyhole-capture-1.',
    ],
    [
      'too few layers',
      metadata({ layers: '3' }),
      'The capture has query.3, but its metadata says that the model has 3 layers.',
    ],
    [
      'layers in words',
      metadata({ layers: 'four' }),
      'The capture\'s layers "four" is not a whole number from 1 to 1024.',
    ],
    [
      'a negative offset',
      metadata({ trained_tokens: '0' }),
      'The capture\'s trained_tokens "0" is not a whole number',
    ],
    [
      'a negative offset',
      metadata({ position_offset: '-1' }),
      'The capture\'s position_offset "-1" is not a whole number',
    ],
    [
      'no scale',
      metadata({ attention_scale: 'NaN' }),
      'The capture\'s attention_scale "NaN" is not a positive number.',
    ],
    ['rope that is no JSON', metadata({ rope: '{' }), "The capture's rope metadata is not JSON."],
    [
      'rope that we do not have',
      metadata({ rope: '{"rope_type":"spiral"}' }),
      "The capture's rope asks for rotary positions of type",
    ],
    [
      'a theta in words',
      metadata({ rope: '{}', rope_theta: 'big' }),
      "The capture's rope: rope_theta must be a number",
    ],
    [
      'tokens that are no list',
      metadata({ tokens: '{"0":"a"}' }),
      "The capture's tokens are not a JSON list of texts.",
    ],
    [
      'too few tokens',
      metadata({ tokens: '["a"]' }),
      'The capture has 192 tokens, but its tokens has 1 entries.',
    ],
    [
      'too few ids',
      tensors({ input_ids: { dtype: 'I32', shape: [2], data: Int32Array.of(1, 2) } }),
      'The capture has 192 tokens, but its input_ids has 2 entries.',
    ],
    [
      'uneven groups',
      tensors({ 'key.0': values(3, 192, 16) }),
      'The capture has 4 query heads, no multiple of its 3 key-value heads.',
    ],
    [
      'two lengths',
      tensors({ 'query.1': values(4, 100, 16) }),
      "The capture's query.1 has shape [4, 100, 16], but its first layer calls for [4, 192, 16].",
    ],
    [
      'values of another width',
      tensors({ 'value.3': values(2, 192, 8) }),
      "The capture's value.3 has shape [2, 192, 8], but its first layer calls for [2, 192, 16].",
    ],
    [
      'two axes',
      tensors({ 'query.0': values(4, 192) }),
      "The capture's query.0 has shape [4, 192] instead of [heads, tokens, channels].",
    ],
    [
      'no tokens',
      tensors({ 'query.0': values(4, 0, 16) }),
      "The capture's query.0 has shape [4, 0, 16] instead of",
    ],
    [
      'infinity',
      tensors({ 'key.1': { dtype: 'F32', shape: [2, 192, 16], data: infinite } }),
      "The capture's key.1 holds Infinity at place 5; all values must be finite.",
    ],
  ])('%s', async (_, file, sentence) => {
    const read = async () => {
      const capture = await readCapture(file);
      await Promise.all(capture.presentLayers.map(capture.layer));
    };
    await expect(read()).rejects.toThrow(UserError);
    await expect(read()).rejects.toThrow(sentence);
  });
});

test.each([
  ['answer_start', '0', 'answer_start "0" is not a whole number from 1'],
  ['answer_start', '192', 'has 192 tokens, so its answer_start must be from 1 to 191, not 192'],
  ['answer_start', 'x', 'answer_start "x" is not a whole number'],
  ['trained_tokens', '0', 'trained_tokens "0" is not a whole number from 1'],
  ['trained_tokens', '1.5', 'trained_tokens "1.5" is not a whole number'],
])('says what is wrong with %s %s', async (name, value, sentence) => {
  const metadata = { ...fixture.metadata, [name]: value };
  await expect(readCapture(changed({ metadata }))).rejects.toThrow(sentence);
});

describe('what a capture brings beside', () => {
  const capture = (tensors: Record<string, TensorToWrite>) => readCapture(changed({ tensors }));
  const floats = (...shape: number[]): TensorToWrite => ({
    ...{ dtype: 'F32', shape },
    data: Float32Array.from({ length: shape.reduce((a, b) => a * b) }, (_, i) => i),
  });
  const labels = (...values: number[]): TensorToWrite => ({
    ...{ dtype: 'I32', shape: [2, values.length / 2], data: Int32Array.from(values) },
  });

  test('is read by name and layer, null where it is missing', async () => {
    const sound = await capture({ 'sketch.1': floats(2, 16, 3), 'cluster_labels.0': labels(0, 1, 1, 0) });
    expect(sound.injected('sketch', 1)?.shape).toEqual([2, 16, 3]);
    expect(sound.injected('sketch', 0)).toBeNull();
    expect(sound.injected('cluster_labels', 0)).toEqual({ shape: [2, 2], values: Int32Array.of(0, 1, 1, 0) });
  });

  test.each([
    ['sketch.0', floats(2, 8, 3), 'has shape [2, 8, 3] instead of [2, 16, directions]'],
    ['cluster_labels.0', labels(...Array(400).fill(0)), 'instead of [2, at most 192 tokens]'],
    ['coarse_labels.0', labels(0, -1), 'holds -1 at place 1; labels count from 0'],
  ] as const)('%s that is unsound is refused', async (tensor, data, sentence) => {
    await expect(capture({ [tensor]: data })).rejects.toThrow(sentence);
  });

  test('output projections have one shape, in all layers or none', async () => {
    const all = Object.fromEntries(
      [0, 1, 2, 3].map((layer) => [`output_projection.${layer}`, floats(5, 64)]),
    );
    const { outputRows, outputProjection } = await capture(all);
    expect([outputRows, await outputProjection(3)]).toEqual([5, all['output_projection.3']!.data]);
    await expect(capture({ ...all, 'output_projection.2': floats(5, 32) })).rejects.toThrow(
      'instead of [channels, 64]',
    );
    await expect(capture({ 'output_projection.0': floats(5, 64) })).rejects.toThrow(
      'but no output_projection.1',
    );
  });
});

test('of a file that lies elsewhere the header is read, then the tensors of the layers that are asked for', async () => {
  const bytes = writeSafetensors(
    Object.fromEntries(
      ['query.0', 'key.0', 'value.0', 'query.1', 'key.1', 'value.1'].map((name, i) => [
        name,
        { dtype: 'F32' as const, shape: [1, 8, 4], data: new Float32Array(32).fill(i) },
      ]),
    ),
    { rope_theta: '100', padding: ' '.repeat(1000) },
  );
  const read: number[] = [];
  const file = bytesInMemory('a capture', bytes);
  const counted: FileBytes = {
    ...file,
    read(begin, end, signal) {
      read.push(end - begin);
      return file.read(begin, end, signal);
    },
  };
  const capture = await readCapture(await openSafetensors(counted));
  const header = bytes.byteLength - 6 * 128;
  expect(read).toEqual([512, header]);
  expect((await capture.layer(1)).value[0]).toBe(5);
  expect(read.slice(2)).toEqual([128, 128, 128]);
});
