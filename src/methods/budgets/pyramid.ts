/**
 * Budgets that fall from the first layer to the last along a straight line (PyramidKV, arXiv 2406.02069; kvpress pyramidkv_press.py,
 * get_layer_budget): ⌊f·S⌋ tokens on average, the window included.
 */
import type { Budget } from '../compose';
import { numberIn } from '../parameters';
import { uniformAtLeastOne } from './uniform';

export const pyramid: Budget = {
  ...uniformAtLeastOne,
  count(parameters, layer, _units, tokens, layers) {
    const window = numberIn(parameters, 'windowTokens', layer);
    const mean = tokens * numberIn(parameters, 'keepFraction', layer);
    let least = mean / numberIn(parameters, 'beta', layer);
    let most = 2 * mean - least;
    if (most >= tokens - window) {
      most = tokens - window;
      least = 2 * mean - most;
    }
    const falls = tokens >= most && most >= least && least >= window;
    const step = layers > 1 ? (most - least) / (layers - 1) : 0;
    return Math.max(1, roundHalfEven(falls ? most - layer * step : mean));
  },
};

/** As Python rounds. */
function roundHalfEven(value: number): number {
  const below = Math.floor(value);
  const rest = value - below;
  if (rest !== 0.5) return Math.round(value);
  return below % 2 === 0 ? below : below + 1;
}
