/** Methods with the schemas of the real ones and nothing behind them, for tests of page and link. */
import type { Method } from '../../src/methods/method';
import type { ParameterSchema, ParameterSchemas } from '../../src/methods/parameters';
import { UserError } from '../../src/user-error';

function count(
  label: string,
  fallback: (tokens: number) => number,
  paper?: number,
  symbol?: string,
): ParameterSchema {
  return {
    kind: 'count',
    label,
    help: `${label}, counted in tokens.`,
    unit: 'tokens',
    minimum: 0,
    maximum: (context) => context.tokens,
    default: (context) => fallback(context.tokens),
    ...(paper === undefined ? {} : { paper }),
    ...(symbol === undefined ? {} : { symbol }),
  };
}

function keepFraction(): ParameterSchema {
  return {
    kind: 'fraction',
    label: 'Kept keys',
    help: 'Share of the keys that stay.',
    minimum: 0,
    maximum: 1,
    default: () => 0.25,
    unit: '%',
  };
}

function choice(label: string, values: readonly string[]): ParameterSchema {
  return {
    kind: 'choice',
    label,
    help: `${label}: one of several.`,
    options: values.map((value) => ({ value, label: value.replace('-', ' '), help: `Uses ${value}.` })),
    default: () => values[0]!,
  };
}

function clamp(value: number, least: number, most: number): number {
  const rounded = value > 16 ? Math.floor(value / 16) * 16 : Math.floor(value);
  return Math.min(most, Math.max(least, rounded));
}

function method(
  id: string,
  title: string,
  summary: string,
  family: Method['family'],
  parameters: ParameterSchemas,
  extra: Partial<Method> = {},
): Method {
  const refuse = () => {
    throw new Error('a fake method does not run');
  };
  return {
    id,
    title,
    summary,
    family,
    parameters,
    citation: { authors: 'Wang et al.', year: 2025, url: 'https://arxiv.org/abs/2502.14477' },
    needs: { unrotated: false, fullAttention: false },
    blocks: refuse,
    start: refuse,
    cost: refuse,
    withBudget: (given, context, keep) =>
      'keepFraction' in given
        ? { parameters: { ...given, keepFraction: keep } }
        : keep * context.tokens < 160
          ? { floor: 160 / context.tokens }
          : { parameters: { ...given, selectedTokens: Math.floor(keep * context.tokens) - 144 } },
    ...extra,
  };
}

const esa = method(
  'esa',
  'ESA',
  'Scores every earlier token with compressed queries and keys and attends to the best ones.',
  'reselect',
  {
    projection: choice('Projection', ['closed-form', 'exact', 'learned']),
    compressedDim: {
      ...count('Compressed dimension', () => 16, 128, "d'"),
      unit: 'dimensions',
    } as ParameterSchema,
    initTokens: count('Initial tokens', () => 16, 128, 'l_I'),
    localTokens: count('Local tokens', (tokens) => clamp(tokens / 8, 64, 384), 4096, 'l_L'),
    selectedTokens: count('Selected tokens', (tokens) => clamp(tokens / 8, 32, 256), 2048, 'k'),
    chunkTokens: count('Chunk', (tokens) => clamp(tokens / 8, 32, 256), 512, 'l_C'),
    proximity: count('Proximity', () => 3, 3, 'ε'),
  },
  {
    notes: () => ['The closed-form projection is ours, not the paper’s.'],
    validate({ localTokens, chunkTokens }, { trainedTokens }) {
      if (typeof localTokens !== 'number' || typeof chunkTokens !== 'number' || trainedTokens === null)
        return;
      if (localTokens + chunkTokens > trainedTokens) {
        throw new UserError(
          `esa: local tokens and chunk are ${localTokens + chunkTokens} together, more than the ${trainedTokens} the model was trained on; make one smaller.`,
        );
      }
    },
  },
);

export const fakeMethods: readonly Method[] = [
  method('full', 'Full attention', 'Every query sees every earlier key.', 'dense', {}, { citation: null }),
  esa,
  method('lagkv', 'LagKV', 'Scores a partition by the one that follows it.', 'evict-reading', {
    variant: choice('Variant', ['official', 'kvpress']),
    keepFraction: keepFraction(),
    sinkTokens: count('Sink tokens', () => 16),
    lagTokens: count('Lag', (tokens) => clamp(tokens / 16, 16, 128)),
  }),
  method('streaming-llm', 'StreamingLLM', 'Keeps the first tokens and the last.', 'evict-once', {
    keepFraction: keepFraction(),
    sinkTokens: count('Sink tokens', () => 4),
  }),
  method('oracle', 'Oracle', 'Keeps the keys with the most attention.', 'reselect', {
    keepFraction: keepFraction(),
  }),
  method('random', 'Random', 'Keeps keys by lot.', 'evict-once', {
    keepFraction: keepFraction(),
    seed: count('Seed', () => 1),
  }),
];

export function findFakeMethod(id: string): Method | null {
  return fakeMethods.find((candidate) => candidate.id === id) ?? null;
}
