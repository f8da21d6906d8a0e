/**
 * What was computed for an open text and holds for other parameters too: projections, compressed keys, scores, full attention's
 * output. One memo serves every run on the text; it outlives a study and ends with the text.
 */
import type { Remembered, ScoreMemo } from '../methods/method';
import type { ScoreCheck } from '../methods/score-check';

/**
 * Bytes that a memo may hold beyond what current runs use; see docs/memory.md. At 4,096 tokens of the bundled model one
 * setting of ESA's takes about 4 MiB.
 */
export const MEMO_BYTES = 2 ** 26;

/** A run's way to the memo. What it got stays valid until `renew` or `end`. */
export interface MemoLease extends ScoreMemo {
  /** Lets go of everything got so far; the memo may keep it for others, or for later. */
  renew(): void;
  end(): void;
}

interface Entry {
  readonly value: Remembered;
  leases: number;
  /** No longer to be found; released with the last lease. */
  isForgotten?: boolean;
}

export class Memo {
  readonly #limitBytes: number;
  /** Least recently used first. */
  readonly #entries = new Map<string, Entry>();
  /** Checks of scores in here, by method, whose runs ended before their verdict. */
  readonly #openChecks = new Map<string, Set<ScoreCheck>>();
  #isClosed = false;

  constructor(limitBytes = MEMO_BYTES) {
    this.#limitBytes = limitBytes;
  }

  get bytes(): number {
    let sum = 0;
    for (const { value } of this.#entries.values()) sum += value.bytes;
    return sum;
  }

  lease(): MemoLease {
    const held = new Set<Entry>();
    const renew = (): void => {
      for (const entry of held) {
        entry.leases--;
        if (entry.isForgotten && entry.leases === 0) entry.value.release();
      }
      held.clear();
      this.#trim();
    };
    return {
      get: <T extends Remembered>(key: string, make: () => T): T => {
        const known = this.#entries.get(key);
        const entry = known ?? { value: make(), leases: 0 };
        if (known) this.#entries.delete(key);
        this.#entries.set(key, entry);
        if (!held.has(entry)) {
          held.add(entry);
          entry.leases++;
        }
        return entry.value as T;
      },
      renew,
      end: renew,
    };
  }

  /** The text is closed: releases everything, what current runs still use as soon as they let go of it. */
  close(): void {
    this.#isClosed = true;
    this.#dropChecks();
    this.#trim();
  }

  /** A run of the method has ended: takes its check, to be judged with the next run's if it still is to be. */
  takeCheck(methodId: string, check: ScoreCheck): void {
    if (this.#isClosed || !check.isOpen) {
      check.release();
      return;
    }
    check.end();
    const checks = this.#openChecks.get(methodId);
    if (checks) checks.add(check);
    else this.#openChecks.set(methodId, new Set([check]));
  }

  /**
   * Throws UserError where scores that runs of the method made are not finite, those that `check` saw or those of runs that ended
   * before they knew: what they made is forgotten then.
   */
  async judge(methodId: string, check: ScoreCheck): Promise<void> {
    const left = this.#openChecks.get(methodId);
    const others = [...(left ?? [])];
    try {
      await Promise.all([check, ...others].map((one) => one.verdict(methodId)));
    } catch (error) {
      // Nobody else is to choose by them.
      this.forget();
      throw error;
    }
    for (const other of others) {
      left?.delete(other);
      other.release();
    }
  }

  /** Forgets everything: whoever asks next makes it anew. What a run still uses is released when that run lets go. */
  forget(): void {
    for (const [key, entry] of this.#entries) {
      this.#entries.delete(key);
      if (entry.leases === 0) entry.value.release();
      else entry.isForgotten = true;
    }
    this.#dropChecks();
  }

  #dropChecks(): void {
    for (const checks of this.#openChecks.values()) for (const check of checks) check.release();
    this.#openChecks.clear();
  }

  #trim(): void {
    let bytes = this.#isClosed ? Number.POSITIVE_INFINITY : this.bytes;
    for (const [key, { value, leases }] of this.#entries) {
      if (bytes <= this.#limitBytes) return;
      if (leases > 0) continue;
      bytes -= value.bytes;
      this.#entries.delete(key);
      value.release();
    }
  }
}
