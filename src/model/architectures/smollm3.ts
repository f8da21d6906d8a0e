import * as z from 'zod/mini';
import { count, truth } from '../files/schema';
import {
  allOrNone,
  check,
  checkByLayer,
  flagsByLayer,
  llamaFields,
  llamaLike,
  slidesBy,
  windowFields,
  windowsWhere,
} from './config-parts';
import { llamaLayout } from './llama-layout';
import type { ArchitectureRule } from './rule';

const schema = z.object({
  ...llamaFields,
  ...windowFields,
  mlp_bias: z.nullish(truth),
  no_rope_layers: flagsByLayer,
  no_rope_layer_interval: z.nullish(count(1024)),
});

/** Llama, some of whose layers have no rotary positions. */
export const smollm3: ArchitectureRule = {
  id: 'smollm3',
  names: ['smollm3'],
  read(settings) {
    const given = check(schema, settings);
    const config = llamaLike('smollm3', settings, given, {
      ...{ trainedTokens: 32768, specialTokens: [128000, 128001] },
      ...{ theta: 2e6, tiedHead: true },
    });
    const { layers, rope } = config;
    const interval = given.no_rope_layer_interval ?? 4;
    // Despite its name a list of the layers that have them.
    const flags =
      given.no_rope_layers ?? Array.from({ length: layers }, (_, layer) => (layer + 1) % interval !== 0);
    checkByLayer('no_rope_layers', flags, layers);
    const window = given.use_sliding_window ? given.sliding_window : null;
    const slides = slidesBy(given.layer_types, layers, window, (layer) => !flags[layer]);
    return {
      ...config,
      biases: allOrNone(given.attention_bias, given.mlp_bias),
      ...(flags.every(Boolean) ? {} : { layerRopes: flags.map((has) => (has ? rope : null)) }),
      ...windowsWhere(layers, window, slides),
    };
  },
  layout: (source, config) => llamaLayout(source, config),
};
