import { useEffect, useState } from 'react';
import { useStore } from 'zustand';
import type { HubModels, HubState } from '../../src/arrival/hub/hub-models';
import { usePage } from '../../src/page/hooks';

/** What fetches and keeps models; null until it is here. */
export function useHub(): HubModels | null {
  const { openHub } = usePage();
  const [hub, setHub] = useState<HubModels | null>(null);
  useEffect(() => {
    openHub().then(setHub);
  }, [openHub]);
  return hub;
}

/** A part of its state. */
export function useHubState<Name extends keyof HubState>(hub: HubModels, name: Name): HubState[Name] {
  return useStore(hub.store, (state) => state[name]);
}
