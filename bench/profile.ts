import type { Ops } from '../gpu/ops';

/** Milliseconds on the device by operation. */
export type Profile = ReadonlyMap<string, number>;

/** Operations that only keep storage. */
const STORAGE = new Set([
  'allocate',
  'upload',
  'write',
  'readFloats',
  'readIntegers',
  'release',
  'memory',
  'pace',
  'stopwatch',
  'destroy',
]);

/**
 * The same operations, each of which is timed by itself. `total` gives the sums since the last call. Timed apart, operations
 * do not overlap, so that the sum is a little more than the time of all together.
 */
export function profiled(ops: Ops): { ops: Ops; total(): Promise<Profile> } {
  let spans: Promise<[string, number]>[] = [];
  const timed = new Proxy(ops, {
    get(target, name: keyof Ops & string) {
      const member = target[name];
      if (typeof member !== 'function' || STORAGE.has(name)) return member;
      return (argument: never) => {
        const watch = target.stopwatch();
        (member as (argument: never) => void)(argument);
        spans.push(watch.stop().then(({ milliseconds }) => [name, milliseconds]));
      };
    },
  });
  return {
    ops: timed,
    async total() {
      const sums = new Map<string, number>();
      for (const [name, milliseconds] of await Promise.all(spans))
        sums.set(name, (sums.get(name) ?? 0) + milliseconds);
      spans = [];
      return sums;
    },
  };
}
