/** Every operation once, at sizes of the bundled model's kind. */
import { attentionCases } from './attention';
import type { KernelCase } from './case';
import { elementCases } from './elements';
import { matmulCases } from './matmul';
import { measurementCases } from './measurement';
import { pageCases } from './pages';
import { selectionCases } from './selection';

export const kernelCases: readonly KernelCase[] = [
  ...matmulCases,
  ...attentionCases,
  ...elementCases,
  ...selectionCases,
  ...pageCases,
  ...measurementCases,
];
