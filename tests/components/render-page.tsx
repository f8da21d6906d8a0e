/** Components with a page behind them whose engine answers with synthetic numbers. */
import { render } from '@testing-library/react';
import { Tooltip } from 'radix-ui';
import type { ReactNode } from 'react';
import type { HubModels } from '../../src/arrival/hub/hub-models';
import { methods } from '../../src/methods';
import { PageContext } from '../../src/page/hooks';
import { createPage, type Page } from '../../src/page/page';
import type { StudyEvents } from '../../src/study/client';
import { taskIds } from '../../src/tasks';
import { hubInThread } from '../arrival/hub/hub-in-thread';
import { createFakeClient, type FakeOptions } from '../page/fake-client';

export interface TestPageOptions extends FakeOptions {
  readonly hash?: string;
  /** Told of every entry of the history. */
  readonly push?: (hash: string) => void;
  /** Given the engine's way to the page. */
  readonly hear?: (events: StudyEvents) => void;
  readonly openHub?: () => HubModels;
}

/** A page that has opened a link; await `page.idle()` for its numbers. */
export async function testPage({
  hash = '',
  push = () => {},
  hear = () => {},
  openHub = hubInThread,
  ...options
}: TestPageOptions = {}): Promise<Page> {
  const page = createPage({
    version: '1.2.3',
    methods,
    taskIds,
    sampleIds: ['short'],
    address: { hash: () => hash, push, onChange: () => () => {} },
    publicAddress: 'https://example.org/',
    snapshot: Promise.resolve(null),
    openHub: async () => openHub(),
    createClient(events) {
      hear(events);
      return createFakeClient(events, options);
    },
  });
  await page.open();
  return page;
}

export function renderWith(page: Page, children: ReactNode) {
  return render(
    <PageContext.Provider value={page}>
      <Tooltip.Provider>{children}</Tooltip.Provider>
    </PageContext.Provider>,
  );
}
