/** `forward`: logits, hidden states and everything of a capture. */
import type { CaptureLayer } from '../model/capture/capture';
import { writeCapture } from '../model/capture/capture';
import { forward, readLayer } from '../model/decoder/forward';
import { readArguments } from './arguments';
import { openCommandBackend } from './backend';
import { writeWhole } from './output';
import { endProgress, showProgress } from './progress';
import { answerOf, openModelOf, planText, readIds } from './source';

export async function forwardCommand(rawArguments: string[]): Promise<void> {
  const args = readArguments('forward', rawArguments);
  const out = args.output();
  const ops = await openCommandBackend(args.backend(), args.memoryBytes());
  const model = await openModelOf(ops, args);
  const { config, decoder, tokenizer } = model;
  const ids = readIds(args, model);
  const tokens = ids.length;
  const answerStart = answerOf(args, tokens);
  const result = await forward(decoder, ids, {
    onProgress: (done) => showProgress(`${done} of ${tokens} tokens`),
    rotatedLayers: planText(model, tokens).rotatedLayers.full,
  });
  const layers: CaptureLayer[] = [];
  for (let layer = 0; layer < config.layers; layer++)
    layers.push(await readLayer(decoder, result.reader, layer, tokens));
  endProgress();

  const bytes = writeCapture(
    {
      layers: config.layers,
      rope: config.rope,
      attentionScale: config.attentionScale,
      positionOffset: 0,
      answerStart,
      trainedTokens: config.trainedTokens,
      model: model.facts.name,
      tokenTexts: tokenizer ? tokenizer.tokenTexts(Array.from(ids)) : null,
      presentLayers: layers.map((_, index) => index),
      tokens,
      queryHeads: config.queryHeads,
      keyValueHeads: config.keyValueHeads,
      headDimension: config.headDimension,
      inputIds: Int32Array.from(ids),
      layer: (index) => layers[index]!,
    },
    {
      logits: { dtype: 'F32', shape: [tokens, config.vocabularySize], data: result.logits },
      ...Object.fromEntries(
        result.hidden.map((data, i) => [
          `hidden.${i}`,
          { dtype: 'F32' as const, shape: [tokens, config.hiddenSize], data },
        ]),
      ),
    },
  );
  writeWhole(out, bytes);
}
