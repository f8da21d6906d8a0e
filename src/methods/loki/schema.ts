/** Loki's parameters (arXiv 2406.02542; hpcgroup/loki, methods/pca_topk). */
import { mostTokens, scaledDefault } from '../defaults';
import type { ParameterSchemas } from '../parameters';

export const lokiParameters: ParameterSchemas = {
  components: {
    kind: 'count',
    label: 'Components',
    symbol: 'd_r',
    help: 'Principal components of the keys on which a query is compared with them.',
    unit: 'components',
    minimum: 1,
    maximum: ({ headDimension }) => headDimension,
    default: ({ headDimension }) => Math.max(1, Math.floor(headDimension / 4)),
    defaultRule: 'd/4',
    paper: 32,
  },
  selectedTokens: {
    kind: 'count',
    label: 'Selected tokens',
    symbol: 'k',
    help: 'Keys that a query sees; the paper has an eighth, a quarter or half of them.',
    unit: 'tokens',
    minimum: 1,
    maximum: mostTokens,
    ...scaledDefault(8, 32, { times: 1, over: 2 }),
  },
  centred: {
    kind: 'choice',
    label: 'Components of',
    help: 'Whether the mean key is taken away before components are computed. It is not when keys are scored.',
    options: [
      { value: true, label: 'centred keys', help: 'As scikit-learn computes them, and the authors.' },
      { value: false, label: 'keys as they are', help: 'Of uncentred second moments.' },
    ],
    default: () => true,
    paper: true,
  },
  calibration: {
    kind: 'choice',
    label: 'Calibrated on',
    help: 'Where the components come from; the paper has other texts.',
    options: [
      {
        value: 'prompt',
        label: 'this text',
        help: 'All keys of the open text, those after a query included.',
      },
    ],
    default: () => 'prompt',
  },
  keys: {
    kind: 'choice',
    label: 'Keys that are analysed',
    help: 'Whether components are those of keys with rotary positions or without. Scored are keys with them in any case.',
    options: [
      { value: 'rotated', label: 'rotated', help: 'As they are cached.' },
      { value: 'unrotated', label: 'un-rotated', help: 'Before rotary positions.' },
    ],
    default: () => 'rotated',
  },
};
