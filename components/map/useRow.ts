import { useEffect, useState } from 'react';
import type { QueryRow } from '../../src/measure/results';
import { useMapPositions, usePage, usePageState, useView } from '../../src/page/hooks';

const QUIET_MILLISECONDS = 30;

/** One query's row in the head in view; null until it is there. */
export function useRow(query: number | null): QueryRow | null {
  const page = usePage();
  const chosen = usePageState('row');
  const layer = useView('layer');
  const head = useView('head');
  const { whose, key } = useMapPositions();
  const version = usePageState('pictureVersion');
  const [fetched, setFetched] = useState<QueryRow | null>(null);
  const isShown = (row: QueryRow | null): row is QueryRow =>
    row !== null &&
    row.query === query &&
    row.layer === layer &&
    row.head === head &&
    row.positions === whose;
  const isChosen = isShown(chosen);

  // biome-ignore lint/correctness/useExhaustiveDependencies: layer, head, version and positions decide what page.row returns
  useEffect(() => {
    if (query === null || isChosen) return;
    let isWanted = true;
    const timer = setTimeout(() => {
      page.row(query).then(
        (row) => isWanted && setFetched(row),
        () => isWanted && setFetched(null),
      );
    }, QUIET_MILLISECONDS);
    return () => {
      isWanted = false;
      clearTimeout(timer);
    };
  }, [page, query, layer, head, version, whose, key, isChosen]);
  if (isChosen) return chosen;
  return isShown(fetched) ? fetched : null;
}
