/** Long computations on the processor, in turns with everything else that waits there. */
import { createTurns } from '../../gpu/turn';

/** A turn is short enough for a page's messages, such as the one that cancels. */
const TURN_MILLISECONDS = 20;

/** Runs `work` to its end, a turn at a time. Rejects with its error, or with the signal's reason. */
export async function inTurns<T>(work: Generator<void, T>, signal?: AbortSignal): Promise<T> {
  const turns = createTurns();
  try {
    for (;;) {
      signal?.throwIfAborted();
      const end = performance.now() + TURN_MILLISECONDS;
      do {
        const step = work.next();
        if (step.done) return step.value;
      } while (performance.now() < end);
      await turns.next();
    }
  } finally {
    turns.close();
  }
}
