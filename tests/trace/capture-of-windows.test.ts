/** What a capture says of windows, soft caps and rotary positions by layer makes of it what the model had. */
import { afterAll, expect, test } from 'vitest';
import { createCpuOps } from '../../gpu/cpu';
import { UserError } from '../../src/base/user-error';
import { type CaptureLayer, readCapture, writeCapture } from '../../src/model/capture/capture';
import { parseCaptureMetadata } from '../../src/model/capture/metadata';
import { forward, readLayer } from '../../src/model/decoder/forward';
import { readSafetensors } from '../../src/model/files/safetensors';
import { traceOfCapture } from '../../src/trace/from-decoder';
import { windowsOf } from '../../src/trace/trace';
import { openArchitecture } from '../model/architectures';

const ops = createCpuOps();
afterAll(() => ops.destroy());

async function written(name: string, otherWindows?: readonly number[]) {
  const { decoder, expected } = await openArchitecture(ops, name);
  const { config } = decoder;
  const ids = Uint32Array.from(expected.int32('input_ids'));
  const { reader } = await forward(decoder, ids);
  const layers: CaptureLayer[] = [];
  for (let layer = 0; layer < config.layers; layer++)
    layers.push(await readLayer(decoder, reader, layer, ids.length));
  const { rope, layerRopes, softCap, windows } = config;
  const bytes = writeCapture({
    ...{
      layers: config.layers,
      rope,
      layerRopes,
      softCap,
      windows: otherWindows ?? windows,
      attentionScale: config.attentionScale,
    },
    ...{
      positionOffset: 0,
      answerStart: null,
      trainedTokens: config.trainedTokens,
      model: name,
      tokenTexts: null,
    },
    ...{ presentLayers: layers.map((_, index) => index), tokens: ids.length, inputIds: null },
    ...{
      queryHeads: config.queryHeads,
      keyValueHeads: config.keyValueHeads,
      headDimension: config.headDimension,
    },
    // Un-rotated ones are to come from the settings.
    layer: (index) => ({ ...layers[index]!, queryUnrotated: null, keyUnrotated: null }),
  });
  return { decoder, reader, layers, file: readSafetensors(bytes) };
}

test.each(['gemma2', 'gemma3', 'smollm3-windows', 'phi3', 'llama-dynamic', 'qwen3-windows'])(
  '%s',
  async (name) => {
    const { decoder, reader, layers, file } = await written(name);
    const capture = await readCapture(file);
    const { rope, layerRopes, softCap, windows } = decoder.config;
    expect(capture.rope).toEqual(rope);
    expect([capture.layerRopes, capture.softCap, capture.windows]).toEqual([layerRopes, softCap, windows]);
    const text = await traceOfCapture(ops, capture);
    expect([...windowsOf(text)]).toEqual(
      (windows ?? []).flatMap((window, layer) => (window === null ? [] : [[layer, window]])),
    );
    for (const [layer, { logSumExp }] of text.layerTraces.entries()) {
      const [of, wanted] = [logSumExp.buffer, reader.caches[layer]!.logSumExp!.buffer];
      const [found, expected] = [await ops.readFloats(of), await ops.readFloats(wanted)];
      expect(found.every((value, i) => Math.abs(value - expected[i]!) < 1e-5)).toBe(true);
      const { queryUnrotated } = await capture.layer(layer);
      const original = layers[layer]!.queryUnrotated!;
      expect(queryUnrotated!.every((value, i) => Math.abs(value - original[i]!) < 1e-5)).toBe(true);
    }
    text.release();
    reader.release();
    decoder.release();
  },
);

test.each([
  ['soft_cap', '0', 'soft_cap "0" is not a positive number.'],
  ['window', '8', 'window is not a JSON list of whole numbers from 1, or null, by layer.'],
  ['window', '[8, 0, 8]', 'window is not a JSON list of whole numbers from 1, or null, by layer.'],
  ['rope_layers', '{}', 'rope_layers is not a JSON list.'],
  [
    'rope_layers',
    '[null, {"rope_type": "spiral"}]',
    'rope_layers, layer 1, asks for rotary positions of type "spiral"',
  ],
])('%s %s is refused', (key, value, sentence) => {
  const parse = () => parseCaptureMetadata({ [key]: value }, 8);
  expect(parse).toThrow(UserError);
  expect(parse).toThrow(sentence);
});

test('a window for each layer, or none', async () => {
  const { decoder, reader, file } = await written('mistral', [8]);
  await expect(readCapture(file)).rejects.toThrow("The capture's window has 1 entries for 2 layers.");
  reader.release();
  decoder.release();
});
