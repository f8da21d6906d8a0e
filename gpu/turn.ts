/** Turns of the event loop, for work that lets other messages in between its pieces. */
export interface Turns {
  /** Resolves in the next turn, without the 4 ms that nested timers are held back. */
  next(): Promise<void>;
  close(): void;
}

export function createTurns(): Turns {
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
