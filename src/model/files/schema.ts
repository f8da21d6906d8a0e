import * as z from 'zod/mini';
import { shorten } from '../../base/quote';

// Building blocks for checking untrusted JSON settings; each message completes "SETTING …".

/** A whole number from 1 (or `least`) to `most`. */
export function count(most: number, least = 1) {
  const inRange = (value: unknown) =>
    Number.isSafeInteger(value) && (value as number) >= least && (value as number) <= most;
  return z.custom<number>(inRange, `must be a whole number from ${least} to ${most}`);
}

/** A number from `least` to `most`. */
export function range(least: number, most: number) {
  const inRange = (value: unknown) => typeof value === 'number' && value >= least && value <= most;
  return z.custom<number>(inRange, `must be a number from ${least} to ${most}`);
}

/** A scale of any sensible size; the bounds keep everything computed from it finite. */
export const positive = range(1e-12, 1e12);

export const truth = z.custom<boolean>((value) => typeof value === 'boolean', 'must be true or false');

/** One of the given words. */
export function choice<const Word extends string>(words: readonly Word[]) {
  const known = (value: unknown) => (words as readonly unknown[]).includes(value);
  return z.custom<Word>(known, `must be ${words.length > 1 ? 'one of ' : ''}${words.join(', ')}`);
}

/** JSON, but for numbers that it does not have, and for what is nested too deep for it. */
function writtenOut(value: unknown): string {
  if (typeof value === 'number') return String(value);
  try {
    return JSON.stringify(value);
  } catch {
    return 'nested too deep';
  }
}

/** The first problem as a clause: which setting, what it must be, what it is. `value` is what was checked. */
export function describeIssue(error: z.core.$ZodError, value: unknown): string {
  const issue = error.issues[0];
  let found = value;
  for (const key of issue!.path) found = (found as Record<PropertyKey, unknown> | undefined)?.[key];
  const shown = found === undefined ? 'is missing' : `is ${shorten(writtenOut(found), 40)}`;
  return `${issue!.path.map(String).join('.')} ${issue!.message}, but ${shown}`;
}
