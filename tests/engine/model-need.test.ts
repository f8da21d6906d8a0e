import { describe, expect, test } from 'vitest';
import { createCpuOps } from '../../gpu/cpu';
import curated from '../../samples/models/curated.json';
import { modelNeeds } from '../../src/engine/model-need';
import type { ModelNeed } from '../../src/study/client';
import type { StudySpec } from '../../src/study/spec';

const spec: StudySpec = {
  model: 'bundled',
  source: { kind: 'task', task: 'single-needle', tokens: 1024, depth: 'spread', seed: 7 },
  method: { id: 'streaming-llm', parameters: {} },
  pinned: [],
  queriesStart: null,
  startToken: null,
};
const needsOf = (configs: readonly object[], tokens = 1024) =>
  modelNeeds(
    {
      configs: configs.map((config) => JSON.stringify(config)),
      ...{ spec, tokens, queriesStart: tokens - 24, answerStart: tokens - 4 },
    },
    createCpuOps(),
    new Map(),
  );

/** As the models' own pages have them. */
const published: Readonly<Record<string, number>> = {
  'HuggingFaceTB/SmolLM2-135M': 134_515_008,
  'HuggingFaceTB/SmolLM2-360M': 361_821_120,
  'google/gemma-3-270m': 268_098_176,
  'google/gemma-3-1b-pt': 999_885_952,
  'openai-community/gpt2': 124_439_808,
  'Qwen/Qwen2.5-0.5B': 494_032_768,
  'Qwen/Qwen3-0.6B': 596_049_920,
  'meta-llama/Llama-3.2-1B': 1_235_814_400,
};

describe('what a model needs', () => {
  test.each(curated)(
    '$repository is read, and has as many weights as its page says',
    async ({ repository, config }) => {
      const [need] = (await needsOf([config])) as ModelNeed[];
      expect(need!.parameters).toBe(published[repository]);
      expect(need!.fileBytes).toBe(need!.parameters * (config.torch_dtype === 'float32' ? 4 : 2));
      // Two workers with weights of 16 or 32 bits.
      expect(need!.memoryBytes).toBeGreaterThan(4 * need!.parameters);
    },
  );

  test('grows with the text, and is refused where the device has no room, or the config is not read', async () => {
    const small = curated[0]!.config;
    const [short, long] = [(await needsOf([small]))[0], (await needsOf([small], 8192))[0]] as ModelNeed[];
    expect(short).toMatchObject({ refusal: null });
    expect(long!.memoryBytes).toBeGreaterThan(short!.memoryBytes);
    const [large, unknown] = await needsOf([{ ...small, num_hidden_layers: 900 }, { model_type: 'mamba' }]);
    expect((large as ModelNeed).refusal).toMatch(
      /^The model's weights need .* MiB are allowed on this device; choose a smaller model\.$/,
    );
    expect(unknown).toMatch(/^config.json names "mamba", /);
  });
});
