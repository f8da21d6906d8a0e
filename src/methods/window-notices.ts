/** What a run says of windows that are to stay, where the budget is smaller. */
import type { Scorer } from './compose';
import type { Parameters } from './parameters';

const format = (count: number): string => count.toLocaleString('en');

/** `countOf`: keys of `tokens` that stay in a layer. One sentence, or none. */
export function windowNotices(
  { window }: Pick<Scorer, 'window'>,
  parameters: Parameters,
  layers: number,
  tokens: number,
  countOf: (layer: number) => number,
): readonly string[] {
  if (!window) return [];
  const larger = Array.from({ length: layers }, (_, layer) => ({
    layer,
    window: Math.min(tokens, window(parameters, layer)),
    budget: countOf(layer),
  })).filter((each) => each.window > each.budget);
  const [first] = larger;
  if (!first) return [];
  const isSame =
    larger.length === layers &&
    larger.every((each) => each.window === first.window && each.budget === first.budget);
  const sizes = `window of ${format(first.window)} tokens is larger than the budget of ${format(first.budget)}`;
  const where = isSame ? 'The' : `In ${larger.length} of ${layers} layers (here layer ${first.layer}) the`;
  return [
    `${where} ${sizes}: not all of it stays, and hardly anything before it. Let more stay, or make the window shorter.`,
  ];
}
