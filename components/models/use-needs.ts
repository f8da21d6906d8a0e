import { useEffect, useState } from 'react';
import { isUserError } from '../../src/base/user-error';
import { usePage, usePageState, useSession } from '../../src/page/hooks';
import type { ModelNeed } from '../../src/study/client';

/** What models with these configs need of this device, for the present text and method; null until the engine has said. */
export function useNeeds(configs: readonly string[]): readonly (ModelNeed | string)[] | null {
  const page = usePage();
  const backend = usePageState('backend').name;
  const tokens = usePageState('text')?.tokens;
  const source = useSession('source');
  const [needs, setNeeds] = useState<readonly (ModelNeed | string)[] | null>(null);
  // biome-ignore lint/correctness/useExhaustiveDependencies: what the page's answer depends on
  useEffect(() => {
    let isWanted = true;
    page.needs(configs).then(
      (found) => isWanted && setNeeds(found),
      (error) => {
        if (!isUserError(error)) throw error;
        // The engine is still starting: it is asked again when it says what it is.
      },
    );
    return () => {
      isWanted = false;
    };
  }, [page, configs, backend, tokens, source]);
  return configs.length === 0 ? null : needs;
}
