/** Lets other messages in between pieces of work. */

/** Resolves in the next turn of the event loop, without the 4 ms that nested timers are held back. */
interface Turn {
  next(): Promise<void>;
  close(): void;
}

function createTurn(): Turn {
  // Node: an open message port would keep the process alive.
  if (typeof setImmediate === 'function') {
    return { next: () => new Promise((resolve) => setImmediate(resolve)), close() {} };
  }
  const channel = new MessageChannel();
  const waiting: (() => void)[] = [];
  channel.port1.onmessage = () => waiting.shift()?.();
  return {
    next: () =>
      new Promise((resolve) => {
        waiting.push(resolve);
        channel.port2.postMessage(undefined);
      }),
    close: () => channel.port1.close(),
  };
}

/** `pace` yields to the event loop when more than `intervalMilliseconds` passed since it last did. */
export function createPace(intervalMilliseconds: number): { pace(): Promise<void>; close(): void } {
  const turn = createTurn();
  let yielded = performance.now();
  return {
    async pace() {
      if (performance.now() - yielded <= intervalMilliseconds) return;
      await turn.next();
      yielded = performance.now();
    },
    close: turn.close,
  };
}
