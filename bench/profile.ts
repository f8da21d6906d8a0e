import type { Ops } from '../gpu/ops';

/** Milliseconds on the device by operation. */
export type Profile = ReadonlyMap<string, number>;

/**
 * The same operations, each of which is timed by itself. `total` gives the sums since the last call. Timed apart, operations
 * do not overlap, so that the sum is a little more than the time of all together.
 */
export function profiled(ops: Ops): { ops: Ops; total(): Promise<Profile> } {
  let spans: Promise<[string, number]>[] = [];
  const timed = new Proxy(ops, {
    get(target, name: keyof Ops & string) {
      const member = target[name];
      if (typeof member !== 'function') return member;
      return (...given: never[]) => {
        const watch = target.stopwatch();
        const result = (member as (...given: never[]) => unknown)(...given);
        spans.push(watch.stop().then(({ milliseconds }) => [name, milliseconds]));
        return result;
      };
    },
  });
  return {
    ops: timed,
    async total() {
      const sums = new Map<string, number>();
      // What only keeps storage takes no time.
      for (const [name, milliseconds] of await Promise.all(spans))
        if (milliseconds > 0) sums.set(name, (sums.get(name) ?? 0) + milliseconds);
      spans = [];
      return sums;
    },
  };
}
