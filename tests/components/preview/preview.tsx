/** The page with synthetic numbers and no engine, for looking at it: `npm run dev`, then /tests/components/preview/. */
import { createRoot } from 'react-dom/client';
import { App } from '../../../components/app/App';
import { methods } from '../../../src/methods';
import { installKeyhole } from '../../../src/page/contract';
import { browserAddressBar } from '../../../src/page/link/address-bar';
import { createPage } from '../../../src/page/page';
import { taskIds } from '../../../src/tasks';
import { hubInThread } from '../../arrival/hub/hub-in-thread';
import { createFakeClient } from '../../page/fake-client';

const page = createPage({
  version: 'preview',
  methods,
  taskIds,
  sampleIds: ['short'],
  address: browserAddressBar(),
  publicAddress: `${location.origin}${location.pathname}`,
  snapshot: Promise.resolve(null),
  openHub: async () => hubInThread(),
  createClient: (events) =>
    createFakeClient(events, {
      delayMilliseconds: Number(new URLSearchParams(location.search).get('delay') ?? 5),
    }),
});
installKeyhole(page);
page.open();
createRoot(document.getElementById('root')!).render(<App page={page} />);
