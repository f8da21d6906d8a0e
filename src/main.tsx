import { createRoot } from 'react-dom/client';
import { App } from '../components/app/App';
import { version } from '../package.json';
import { sampleTexts } from '../samples/texts';
import type { HubModels } from './arrival/hub/hub-models';
import { methods } from './methods';
import { installKeyhole } from './page/contract';
import { browserAddressBar } from './page/link/address-bar';
import { createPage } from './page/page';
import { fetchSnapshot } from './snapshot/asset';
import { taskIds } from './tasks';

import { createEngineClient } from './worker/client';

const root = document.getElementById('root');
if (!root) throw new Error('index.html has no element with the id "root".');

let hub: Promise<HubModels> | null = null;
const openHub = (): Promise<HubModels> => {
  hub ??= import('./arrival/hub/hub-models').then(({ HubModels }) => new HubModels());
  return hub;
};

const page = createPage({
  version,
  methods,
  taskIds,
  sampleIds: sampleTexts.map((sample) => sample.id),
  address: browserAddressBar(),
  publicAddress: import.meta.env.VITE_PUBLIC_ADDRESS ?? `${location.origin}${location.pathname}`,
  snapshot: fetchSnapshot(),
  openHub,
  createClient: (events, { backend }) => createEngineClient(events, { backend, openHub }),
});
installKeyhole(page);
page.open();
createRoot(root).render(<App page={page} />);
