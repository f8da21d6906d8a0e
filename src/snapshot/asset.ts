/** Fetches the recorded default study; it starts before anything is drawn. */
import { type RecordedStudy, unpackStudy } from './snapshot';

const files = import.meta.glob<string>('../../samples/studies/default.json', {
  query: '?url',
  import: 'default',
  eager: true,
});

/** Null where there is none, or it cannot be read: the page then waits for live numbers. */
export async function fetchRecorded(): Promise<RecordedStudy | null> {
  const [address] = Object.values(files);
  if (address === undefined) return null;
  try {
    const response = await fetch(address);
    return response.ok ? unpackStudy(await response.json()) : null;
  } catch {
    return null;
  }
}
