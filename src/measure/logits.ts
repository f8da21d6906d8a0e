/**
 * Logits of many tokens, a block at a time: a vocabulary is so much wider than a hidden state that states are kept and logits
 * are made where they are looked at.
 */
import { matrixRows } from '../../gpu/rows';
import { Scratch } from '../../gpu/scratch';
import { checkLogits } from '../model/decoder/check-finite';
import type { Decoder } from '../model/decoder/decoder';
import { writeLogits } from '../model/decoder/logits';
import type { DivergenceByRow } from './divergence';
import { DivergenceSums } from './divergence';

/** Most logits on the device at once, 16 MiB of them, as long as that is a token's. */
const MOST_LOGITS = 2 ** 22;

/** Tokens whose logits are made at once. */
export function logitRows(vocabularySize: number): number {
  return Math.max(1, Math.floor(MOST_LOGITS / vocabularySize));
}

/** Logits of states [n, D] after the last norm, in blocks of rows: [rows, V] each. */
export async function* logitBlocks(
  decoder: Decoder,
  states: Float32Array,
): AsyncGenerator<{ readonly start: number; readonly logits: Float32Array }> {
  const { ops, config } = decoder;
  const { hiddenSize: D, vocabularySize: V } = config;
  const count = states.length / D;
  const most = logitRows(V);
  for (let start = 0; start < count; start += most) {
    const rows = Math.min(most, count - start);
    const scratch = new Scratch(ops);
    let logits: Float32Array;
    try {
      const input = scratch.upload(
        states.subarray(start * D, (start + rows) * D),
        'hidden states of queries',
      );
      const out = scratch.floats(rows * V, 'logits of queries');
      writeLogits(decoder, matrixRows(input, rows, D), matrixRows(out, rows, V));
      logits = await ops.readFloats(out);
      checkLogits(logits, V);
    } finally {
      scratch.release();
    }
    yield { start, logits };
    await ops.pace();
  }
}

/**
 * How far next-token distributions are from full attention's, from the states [n, D] after the last norm of both runs;
 * `nextTokens` has n − 1 tokens, or n. Rejects with the signal's reason.
 */
export async function compareStates(
  decoder: Decoder,
  full: Float32Array,
  selective: Float32Array,
  nextTokens: Uint32Array,
  signal?: AbortSignal,
): Promise<DivergenceByRow> {
  const sums = new DivergenceSums(decoder.config.vocabularySize);
  const others = full === selective ? null : logitBlocks(decoder, selective);
  for await (const { start, logits } of logitBlocks(decoder, full)) {
    signal?.throwIfAborted();
    const other = others ? (await others.next()).value.logits : logits;
    sums.add(logits, other, nextTokens.subarray(start));
  }
  return sums.result();
}
