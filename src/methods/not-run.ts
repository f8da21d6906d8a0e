/**
 * Methods that a reader may look for and that are not run: what they do, as far as their sources say, and why nothing is drawn. Authors
 * and years stand where the source that was read names them.
 */
export interface NotRun {
  readonly id: string;
  readonly title: string;
  /** One sentence: what it does. */
  readonly summary: string;
  /** One sentence: why no number and no picture of it is shown. */
  readonly reason: string;
  readonly authors: string | null;
  readonly year: number | null;
  readonly url: string;
}

export const methodsNotRun: readonly NotRun[] = [
  {
    id: 'sparseaccelerate',
    title: 'SparseAccelerate',
    summary:
      'Gives every head one of three patterns while the prompt is read: triangular, interval-slash or block-cluster.',
    reason: 'We found neither its formulas nor its sizes nor its code, so whatever ran here would be ours.',
    authors: 'Vo',
    year: 2024,
    url: 'https://arxiv.org/abs/2412.06198',
  },
  {
    id: 'soco',
    title: 'SoCo',
    summary: 'Compresses a model’s weights: learned scores decide which singular values of a matrix stay.',
    reason:
      'Its scores come of an optimisation over a whole model, and what it removes is part of the weights, not keys that a query sees.',
    authors: null,
    year: 2025,
    url: 'https://arxiv.org/abs/2502.15092',
  },
  {
    id: 'color',
    title: 'CoLoR',
    summary:
      'Rewrites retrieved passages into shorter ones by a small model that was trained to prefer short versions.',
    reason:
      'It needs its trained model, Phi-3-mini fine-tuned, and the text that it writes is no choice among keys.',
    authors: null,
    year: null,
    url: 'https://github.com/going-doer/CoLoR',
  },
  {
    id: 'cpc',
    title: 'CPC',
    summary:
      'Keeps the sentences whose embeddings are nearest the question’s, best first until the budget is full, in the order of the text.',
    reason:
      'It needs its trained sentence encoder, which with 1 to 7 billion weights is too large for this page.',
    authors: null,
    year: 2024,
    url: 'https://arxiv.org/abs/2409.01227',
  },
  {
    id: 'languashrink',
    title: 'LanguaShrink',
    summary:
      'Shortens a prompt piece by piece: parts of speech by priority, weights by a forgetting curve, and a small trained model.',
    reason: 'We know its abstract only, which gives no formula, and its trained model is missing.',
    authors: null,
    year: 2024,
    url: 'https://arxiv.org/abs/2409.00855',
  },
  {
    id: 'in-context-former',
    title: 'In-Context Former',
    summary:
      'Replaces 512 tokens of context by 128 digest tokens that attend to the embeddings of the words.',
    reason: 'It needs its trained weights and the model they were trained for, Llama-2-7B.',
    authors: null,
    year: 2024,
    url: 'https://arxiv.org/abs/2406.13618',
  },
];
