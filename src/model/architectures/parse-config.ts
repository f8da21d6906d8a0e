import type { HalfType } from '../../../gpu/rows';
import { UserError } from '../../base/user-error';
import type { ModelConfig } from './config';
import { ruleFor } from './registry';

/**
 * Checks a parsed config.json and puts it into our terms; what it leaves out gets transformers' default. Every number
 * is in range afterwards and heads divide evenly. UserError, one sentence, for anything that cannot be run faithfully.
 */
export async function parseConfig(value: unknown): Promise<ModelConfig> {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw new UserError('config.json must hold a JSON object with the settings of a model.');
  }
  const settings = value as Record<string, unknown>;
  if (settings.quantization_config) {
    throw new UserError('The model has quantized weights; use one with F32, F16 or BF16 weights.');
  }
  if (settings.is_causal === false) {
    throw new UserError(
      'config.json: is_causal is false, so every token of this model sees those after it; only causal models can be studied.',
    );
  }
  const config = (await ruleFor(settings)).read(settings);
  if (config.queryHeads % config.keyValueHeads !== 0) {
    throw new UserError(
      `config.json has ${config.queryHeads} query heads, which is no multiple of its ${config.keyValueHeads} key-value heads.`,
    );
  }
  for (const rope of [config.rope, ...(config.layerRopes ?? [])]) {
    const channels = rope?.rotatedChannels ?? config.headDimension;
    if (!rope || (channels % 2 === 0 && channels > 0)) continue;
    const rotated = rope.rotatedChannels === undefined ? '' : ` of which ${channels} are rotated`;
    throw new UserError(
      `config.json has heads of ${config.headDimension} channels${rotated}; rotary positions need an even number.`,
    );
  }
  const weightType = halfTypes[String(settings.dtype ?? settings.torch_dtype)];
  return { ...config, ...(weightType && { weightType }) };
}

/** What most files hold that say so; what these do is known once they are opened (FoundWeights). */
const halfTypes: Readonly<Record<string, HalfType | undefined>> = { float16: 'f16', bfloat16: 'bf16' };
