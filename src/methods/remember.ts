/** What methods put into a memo. */
import type { Ops } from '../../gpu/ops';
import type { DeviceBuffer } from '../../gpu/rows';
import type { Remembered, ScoreMemo } from './method';

/** Device buffers that are released together. */
export interface Buffers extends Remembered {
  readonly buffers: readonly DeviceBuffer[];
}

/** `value` with the buffers that it consists of. */
export function inBuffers<T extends object>(
  ops: Ops,
  buffers: readonly DeviceBuffer[],
  value: T,
): T & Buffers {
  const bytes = 4 * buffers.reduce((sum, { length }) => sum + length, 0);
  return { ...value, buffers, bytes, release: () => ops.release(...buffers) };
}

/**
 * From the memo, if there is one and `key` names what the value depends on; else made for one selection, whose `owned` then has to
 * include its buffers.
 */
export function remembered<T extends Buffers>(
  memo: ScoreMemo | undefined,
  key: string | null,
  make: () => T,
): { readonly value: T; readonly owned: readonly DeviceBuffer[] } {
  if (memo && key !== null) return { value: memo.get(key, make), owned: [] };
  const value = make();
  return { value, owned: value.buffers };
}

/** A memo that a run keeps to itself: everything stays until `release`. */
export function ownMemo(): ScoreMemo & Pick<Remembered, 'release'> {
  const held = new Map<string, Remembered>();
  return {
    get<T extends Remembered>(key: string, make: () => T): T {
      const value = (held.get(key) as T | undefined) ?? make();
      held.set(key, value);
      return value;
    },
    release() {
      for (const value of held.values()) value.release();
      held.clear();
    },
  };
}

/** So many infinities, which keep what they score whatever the others have. */
export function infinities(
  { ops, memo }: { readonly ops: Ops; readonly memo?: ScoreMemo },
  count: number,
): { readonly value: Buffers & { readonly buffer: DeviceBuffer }; readonly owned: readonly DeviceBuffer[] } {
  return remembered(memo, `infinities/${count}`, () => {
    const buffer = ops.upload(new Float32Array(count).fill(Number.POSITIVE_INFINITY), 'infinite scores');
    return inBuffers(ops, [buffer], { buffer });
  });
}

/** A value that is there, or is being made. */
interface Pending<T> extends Remembered {
  value: T | null;
  making: Promise<void> | null;
}

/**
 * From the memo, if there is one, what takes a while to make and is no device buffer: runs that ask for it meanwhile wait for the one
 * that makes it, and where that one is ended another goes on.
 */
export async function rememberedLater<T extends object>(
  memo: ScoreMemo | undefined,
  key: string,
  bytes: number,
  make: () => Promise<T>,
  signal?: AbortSignal,
): Promise<T> {
  const begin = (): Pending<T> => ({ value: null, making: null, bytes, release() {} });
  const pending = memo?.get(key, begin) ?? begin();
  while (!pending.value) {
    if (pending.making) {
      await pending.making.catch(() => {});
      signal?.throwIfAborted();
      continue;
    }
    pending.making = make().then((value) => {
      pending.value = value;
    });
    try {
      await pending.making;
    } finally {
      pending.making = null;
    }
  }
  return pending.value;
}
