/** `forward`: logits, hidden states and everything of a capture. */
import type { CaptureLayer } from '../model/capture/capture';
import { writeCapture } from '../model/capture/capture';
import { forward, readLayer } from '../model/decoder/forward';
import type { TensorToWrite } from '../model/files/safetensors-writer';
import { writeSafetensors } from '../model/files/safetensors-writer';
import { readArguments } from './arguments';
import { openCommandBackend } from './backend';
import { writeWhole } from './output';
import { endProgress, showProgress } from './progress';
import { layersOf, openModelOf, planText } from './source';
import { readText } from './text';

export async function forwardCommand(rawArguments: string[]): Promise<void> {
  const args = readArguments('forward', rawArguments);
  const out = args.output();
  const ops = await openCommandBackend(args.backend(), args.memoryBytes());
  const model = await openModelOf(ops, args);
  const { config, decoder, tokenizer } = model;
  const { ids, answerStart } = await readText(args, model);
  const tokens = ids.length;
  const isLast = args.has('last');
  const all = Array.from({ length: config.layers }, (_, layer) => layer);
  const asked = isLast && !args.has('layers') ? [] : layersOf(args, all);
  const result = await forward(decoder, ids, {
    onProgress: (done) => showProgress(`${done} of ${tokens} tokens`),
    keepStates: isLast ? 'last' : 'all',
    keepQueries: asked.length > 0,
    rotatedLayers: planText(model, tokens).rotatedLayers.full,
  });
  const layers = new Map<number, CaptureLayer>();
  for (const layer of asked) layers.set(layer, await readLayer(decoder, result.reader, layer, tokens));
  endProgress();

  const inputIds = Int32Array.from(ids);
  const states: Record<string, TensorToWrite> = {
    logits: { dtype: 'F32', shape: [isLast ? 1 : tokens, config.vocabularySize], data: result.logits },
    ...Object.fromEntries(
      result.hidden.map((data, i) => [
        `hidden.${i}`,
        { dtype: 'F32' as const, shape: [tokens, config.hiddenSize], data },
      ]),
    ),
  };
  if (asked.length === 0) {
    const read = { input_ids: { dtype: 'I32' as const, shape: [tokens], data: inputIds } };
    writeWhole(out, writeSafetensors({ ...states, ...read }, { model: model.facts.name }));
    return;
  }
  const bytes = writeCapture(
    {
      layers: config.layers,
      rope: config.rope,
      layerRopes: config.layerRopes,
      attentionScale: config.attentionScale,
      softCap: config.softCap,
      windows: config.windows,
      positionOffset: 0,
      answerStart,
      trainedTokens: config.trainedTokens,
      model: model.facts.name,
      tokenTexts: tokenizer ? tokenizer.tokenTexts(Array.from(ids)) : null,
      presentLayers: asked,
      tokens,
      queryHeads: config.queryHeads,
      keyValueHeads: config.keyValueHeads,
      headDimension: config.headDimension,
      inputIds,
      layer: (index) => layers.get(index)!,
    },
    states,
  );
  writeWhole(out, bytes);
}
