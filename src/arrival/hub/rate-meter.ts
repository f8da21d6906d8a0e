/** How fast bytes come, over the last seconds. */

const WINDOW_MILLISECONDS = 4000;
/** Sooner, a rate is chance. */
const LEAST_MILLISECONDS = 500;

export class RateMeter {
  #events: { at: number; bytes: number }[] = [];

  add(bytes: number, now = performance.now()): void {
    this.#events.push({ at: now, bytes });
    while (now - this.#events[0]!.at > WINDOW_MILLISECONDS) this.#events.shift();
  }

  /** What came before tells nothing of what comes now. */
  restart(): void {
    this.#events = [];
  }

  /** Null while too little is known. */
  bytesPerSecond(now = performance.now()): number | null {
    const [first] = this.#events;
    if (!first || now - first.at < LEAST_MILLISECONDS) return null;
    const bytes = this.#events.reduce((sum, event) => sum + event.bytes, 0) - first.bytes;
    return (1000 * bytes) / (now - first.at);
  }
}

/** 12 s, 5 min. */
export function leftText(seconds: number): string {
  return seconds < 120 ? `${Math.ceil(seconds)} s` : `${Math.ceil(seconds / 60)} min`;
}
