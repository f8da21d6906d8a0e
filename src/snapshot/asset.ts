/** Fetches the recorded default study, and what reads it beside it; both start before anything is drawn. */
import type { Snapshot } from './snapshot';

const files = import.meta.glob<string>('../../samples/studies/default.json', {
  query: '?url',
  import: 'default',
  eager: true,
});

/** Null where there is none, or it cannot be read: the page then waits for live numbers. */
export async function fetchSnapshot(): Promise<Snapshot | null> {
  const [address] = Object.values(files);
  if (address === undefined) return null;
  try {
    const [response, { unpackSnapshot: unpackStudy }] = await Promise.all([
      fetch(address),
      import('./snapshot'),
    ]);
    return response.ok ? await unpackStudy(await response.json()) : null;
  } catch {
    return null;
  }
}
