/** What a run tells of itself on the way: how far it is, and how long its parts took. */
import type { PostedEvent } from './events';

type Emit = (event: PostedEvent) => void;

/** Reports tokens read, and once a part is done how long the whole will take at that pace. */
export function progressOf(emit: Emit, label: string, total: number): (tokens: number) => void {
  const start = performance.now();
  return (tokens) => {
    const fraction = tokens / total;
    const seconds = (performance.now() - start) / 1000 / Math.max(fraction, 1e-6);
    emit({
      name: 'progress',
      value: {
        label: `${label}: ${tokens.toLocaleString('en')} of ${total.toLocaleString('en')} tokens`,
        fraction,
        expectedSeconds: seconds > 10 ? seconds : null,
      },
    });
  };
}

/** Wall-clock milliseconds of the parts of a run, reported as they end. */
export class Clock {
  readonly #emit: Emit;
  readonly #spans: Record<string, number> = {};

  constructor(emit: Emit) {
    this.#emit = emit;
  }

  async measure<T>(name: string, work: () => Promise<T>): Promise<T> {
    const start = performance.now();
    const result = await work();
    this.#spans[name] = performance.now() - start;
    this.#emit({ name: 'timing', value: { ...this.#spans } });
    return result;
  }
}
