import type { ScoreMemo } from '../methods/method';

/** A memo that can be emptied: what it holds is released. */
export interface Memo extends ScoreMemo {
  clear(): void;
}

export function createMemo(): Memo {
  const held = new Map<string, { release(): void }>();
  return {
    get<T extends { release(): void }>(key: string, make: () => T): T {
      const value = (held.get(key) as T | undefined) ?? make();
      held.set(key, value);
      return value;
    },
    clear() {
      for (const value of held.values()) value.release();
      held.clear();
    },
  };
}
