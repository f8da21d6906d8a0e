/** Lets other messages in between pieces of work. */
import { createTurns } from '../turn';

/** `pace` yields to the event loop when more than `intervalMilliseconds` passed since it last did. */
export function createPace(intervalMilliseconds: number): { pace(): Promise<void>; close(): void } {
  const turns = createTurns();
  let yielded = performance.now();
  return {
    async pace() {
      if (performance.now() - yielded <= intervalMilliseconds) return;
      await turns.next();
      yielded = performance.now();
    },
    close: turns.close,
  };
}
