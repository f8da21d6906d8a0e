/** Whoever waits for it still gets the error; what a cancelled run no longer waits for is no failure. */
export function ignoreRejection<T>(work: Promise<T>): Promise<T> {
  work.catch(() => {});
  return work;
}
