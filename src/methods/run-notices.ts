import type { MethodRun } from './method';

/** What a run had to assume and what its selections have shown, one sentence each. */
export async function runNotices(run: MethodRun): Promise<readonly string[]> {
  return [...(run.notices ?? []), ...((await run.lateNotices?.()) ?? [])];
}
