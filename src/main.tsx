import { createRoot } from 'react-dom/client';
import { App } from '../components/app/App';
import { version } from '../package.json';
import { methods } from './methods';
import { browserAddressBar } from './session/address-bar';
import { createPage } from './session/page';
import { installKeyhole } from './session/page-contract';
import { fetchRecorded } from './session/recorded-asset';
import { sampleList } from './session/samples';
import { createEngineClient } from './study/engine-client';
import { taskIds } from './tasks';

const root = document.getElementById('root');
if (!root) throw new Error('index.html has no element with the id "root".');

const page = createPage({
  version,
  methods,
  taskIds,
  sampleIds: sampleList.map((sample) => sample.id),
  address: browserAddressBar(),
  publicAddress: import.meta.env.VITE_PUBLIC_ADDRESS ?? `${location.origin}${location.pathname}`,
  recorded: fetchRecorded(),
  createClient: createEngineClient,
});
installKeyhole(page);
page.open();
createRoot(root).render(<App page={page} />);
