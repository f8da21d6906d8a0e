import { floatsOf, integersOf } from '../../cpu/buffer';
import { type CascadeArguments, checkCascade } from './op';

export function cascade(a: CascadeArguments): void {
  checkCascade(a);
  const { tokens, firstToken, score, drops, out, outScore } = a;
  const [tokenData, scoreData] = [integersOf(tokens.buffer), floatsOf(score.buffer)];
  const [outData, outScoreData] = [integersOf(out.buffer), floatsOf(outScore.buffer)];
  const places = integersOf(drops.buffer);
  for (let set = 0; set < tokens.sets; set++) {
    const start = tokens.offset + set * tokens.rowStride;
    const scores = score.offset + set * score.rowStride;
    // What is held, and its scores; there is room for the one that is dropped again.
    const held = new Uint32Array(out.count + 1);
    const heldScores = new Float32Array(out.count + 1);
    held.set(tokenData.subarray(start, start + tokens.count));
    heldScores.set(scoreData.subarray(scores, scores + tokens.count));
    let count = tokens.count;
    for (let i = 0; i < score.length - tokens.count; i++) {
      held[count] = firstToken + i;
      heldScores[count] = scoreData[scores + tokens.count + i]!;
      const at = drops.offset + 2 * i;
      const dropped = leastOf(heldScores, places[at]!, Math.min(places[at + 1]!, count + 1));
      if (dropped !== null) {
        held.copyWithin(dropped, dropped + 1, count + 1);
        heldScores.copyWithin(dropped, dropped + 1, count + 1);
      } else if (count < out.count) count++;
    }
    outData.set(held.subarray(0, count), out.offset + set * out.rowStride);
    outScoreData.set(heldScores.subarray(0, count), outScore.offset + set * outScore.rowStride);
  }
}

/** The place of [start, end) with the least score, the first of equals; null: there is none. */
function leastOf(scores: Float32Array, start: number, end: number): number | null {
  if (start >= end) return null;
  let least = start;
  for (let place = start + 1; place < end; place++) if (scores[place]! < scores[least]!) least = place;
  return least;
}
