/** What both backends say about memory. */
import { UserError } from '../src/base/user-error';

const MEBIBYTE = 2 ** 20;

/** Bytes in MiB for people, with a decimal where there are few. */
export function mebibytes(bytes: number): string {
  return (bytes / MEBIBYTE).toFixed(bytes < 10 * MEBIBYTE ? 1 : 0);
}

/** Refuses `label`, for which a budget has no room. `memory`: whose, such as "GPU memory". */
export function noRoom(
  label: string,
  bytes: number,
  usedBytes: number,
  budgetBytes: number,
  memory: string,
): UserError {
  return new UserError(
    `${label} needs ${mebibytes(bytes)} MiB of ${memory}, ${mebibytes(usedBytes)} of the ${mebibytes(budgetBytes)} MiB allowed ` +
      `are in use and ${mebibytes(budgetBytes - usedBytes)} MiB would fit; use a shorter text, fewer queries or a smaller model.`,
  );
}
