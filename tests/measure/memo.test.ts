import { describe, expect, it, vi } from 'vitest';
import { Memo } from '../../src/measure/memo';

class Thing {
  released = 0;
  readonly bytes: number;

  constructor(bytes: number) {
    this.bytes = bytes;
  }

  release(): void {
    this.released++;
  }
}

const make = (bytes = 10) => {
  const things: Thing[] = [];
  return {
    things,
    make: () => {
      const thing = new Thing(bytes);
      things.push(thing);
      return thing;
    },
  };
};

describe('a memo', () => {
  it('makes a value once, for every run', () => {
    const memo = new Memo();
    const made = make();
    const first = memo.lease();
    const second = memo.lease();
    expect(first.get('a', made.make)).toBe(second.get('a', made.make));
    expect(first.get('b', made.make)).not.toBe(first.get('a', made.make));
    first.end();
    second.end();
    expect(memo.lease().get('a', made.make)).toBe(made.things[0]);
    expect(made.things).toHaveLength(2);
    expect(memo.bytes).toBe(20);
  });

  it('lets go of what was used longest ago, beyond its limit', () => {
    const memo = new Memo(25);
    const lease = memo.lease();
    const made = make();
    for (const key of ['a', 'b']) lease.get(key, made.make);
    lease.get('a', made.make);
    lease.get('c', made.make);
    expect(made.things.map(({ released }) => released)).toEqual([0, 0, 0]);
    lease.renew();
    expect(made.things.map(({ released }) => released)).toEqual([0, 1, 0]);
    expect(memo.bytes).toBe(20);
    // Made anew when it is asked for again.
    lease.get('b', made.make);
    expect(made.things).toHaveLength(4);
  });

  it('keeps what a run under way uses, beyond its limit and its end', () => {
    const memo = new Memo(15);
    const made = make();
    const [busy, other] = [memo.lease(), memo.lease()];
    const used = busy.get('a', made.make);
    other.get('a', made.make);
    other.get('b', made.make);
    other.end();
    expect(made.things.map(({ released }) => released)).toEqual([0, 1]);
    memo.close();
    expect(used.released).toBe(0);
    const late = busy.get('c', made.make);
    busy.end();
    expect([used.released, late.released]).toEqual([1, 1]);
    expect(memo.bytes).toBe(0);
  });

  it('counts what a value holds when it is asked, not when it was made', () => {
    const memo = new Memo(15);
    const lease = memo.lease();
    const growing = { bytes: 0, release: vi.fn() };
    lease.get('growing', () => growing);
    lease.renew();
    expect(growing.release).not.toHaveBeenCalled();
    growing.bytes = 16;
    lease.renew();
    expect(growing.release).toHaveBeenCalledOnce();
  });
});
