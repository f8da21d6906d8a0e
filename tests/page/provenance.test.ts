/** Never a value under a name that did not make it: during a run, after a cancelled one, after a failed one. */
import { describe, expect, it } from 'vitest';
import type { LayerMeasurement } from '../../src/measure/results';
import { methods } from '../../src/methods';
import { arrivingLayers, type MeasuredPart, shownPart } from '../../src/page/measured';
import { createPage, type Page } from '../../src/page/page';
import { summarise } from '../../src/page/summary';
import type { StudyEvents } from '../../src/study/client';
import { taskIds } from '../../src/tasks';
import { hubInThread } from '../arrival/hub/hub-in-thread';
import { recordedFixture } from '../snapshot/snapshot-fixture';
import { createFakeClient, type FakeClient } from './fake-client';
import { syntheticLayers, syntheticText } from './synthetic';

interface Engine {
  readonly page: Page;
  readonly client: FakeClient;
  readonly events: StudyEvents;
}

/** A page that has measured its first study; the test speaks for the engine from the second on. */
async function measured(hash: string): Promise<Engine> {
  let events: StudyEvents | undefined;
  let client: FakeClient | undefined;
  const page = createPage({
    version: '1.2.3',
    methods,
    taskIds,
    sampleIds: ['short'],
    address: { hash: () => hash, push: () => {}, onChange: () => () => {} },
    publicAddress: 'https://example.org/',
    snapshot: Promise.resolve(null),
    openHub: async () => hubInThread(),
    createClient: (heard) => {
      events = heard;
      client = createFakeClient(heard, { silentFrom: 1 });
      return client;
    },
  });
  await page.open();
  await page.idle();
  return { page, client: client!, events: events! };
}

const isRunning = (page: Page) =>
  new Promise<void>((resolve) => {
    const unsubscribe = page.store.subscribe(({ running }) => {
      if (!running) return;
      unsubscribe();
      resolve();
    });
  });

const shown = <Part extends MeasuredPart>(page: Page, part: Part) => {
  const { records, session } = page.store.getState();
  return shownPart(records, session, part);
};

const arriving = (page: Page) => {
  const { records, session } = page.store.getState();
  return arrivingLayers(records, session);
};

/** Layers that no other method has. */
function layersOf(page: Page, massRecall: number): LayerMeasurement[] {
  const { session } = page.store.getState();
  return syntheticLayers(session, syntheticText(session)).map((layer) => ({ ...layer, massRecall }));
}

const FOUR = '#length=1024&method=random&pin=none';
const parts = ['layers', 'cost', 'freeRun', 'sweep'] as const;

describe('after another method was chosen', () => {
  it('what was measured stays under its own name until the other one has been, and state() leaves it out', async () => {
    const { page, events } = await measured(FOUR);
    const random = page.state().measurements!;
    const running = isRunning(page);
    page.actions.setMethod('oracle');
    const expectRandoms = () => {
      for (const part of parts) {
        expect(shown(page, part), part).toMatchObject({
          isStale: true,
          by: { method: { id: 'random' }, version: '1.2.3', source: { seed: 7 } },
          value: random[part],
        });
      }
      expect(page.state()).toMatchObject({ method: 'oracle', measurements: null, origin: null, timing: {} });
    };
    // Before the run has started, too.
    expectRandoms();
    await running;
    expectRandoms();

    const oracle = layersOf(page, 0.75);
    events.measured({ queries: random.queries, layers: [oracle[0]!, oracle[7]!] });
    // Two layers of Oracle: they are handed out as such, and no mean takes them together with Random's.
    expect(shown(page, 'layers')).toMatchObject({ isStale: true, value: random.layers });
    expect(summarise(shown(page, 'layers')!.value)).toEqual(summarise(random.layers));
    expect(arriving(page).map(({ layer }) => layer)).toEqual([0, 7]);
    expect(page.state()).toMatchObject({
      method: 'oracle',
      origin: null,
      measurements: { freeRun: null, sweep: null },
    });
    expect(page.state().measurements!.layers).toEqual([oracle[0], oracle[7]]);

    events.measured({ layers: oracle });
    expect(shown(page, 'layers')).toMatchObject({ isStale: false, by: { method: { id: 'oracle' } } });
    expect(summarise(shown(page, 'layers')!.value)?.massRecall).toBeCloseTo(0.75, 12);
    expect(arriving(page)).toEqual([]);
    expect(shown(page, 'freeRun')).toMatchObject({ isStale: true, by: { method: { id: 'random' } } });
    events.idle();
    expect(page.state().origin).toBe('live');
  });

  it('cancelling leaves two layers as Oracle’s and the answer as Random’s', async () => {
    const { page, events } = await measured(FOUR);
    const random = page.state().measurements!;
    const running = isRunning(page);
    page.actions.setMethod('oracle');
    await running;
    const oracle = layersOf(page, 0.75);
    events.measured({ queries: random.queries, layers: [oracle[0]!, oracle[7]!] });
    page.cancel();
    events.idle();
    const state = await page.idle();
    expect(state).toMatchObject({ method: 'oracle', origin: null });
    expect(state.error).toMatch(/^Cancelled/);
    expect(state.measurements).toMatchObject({ freeRun: null, layers: [{ layer: 0 }, { layer: 7 }] });
    expect(shown(page, 'freeRun')).toMatchObject({
      isStale: true,
      value: random.freeRun,
      by: { method: { id: 'random' } },
    });
    expect(shown(page, 'layers')).toMatchObject({ isStale: true, value: random.layers });
    // Back at Random its values are nobody else's again, before anything is measured anew.
    page.actions.setMethod('random');
    expect(shown(page, 'freeRun')).toMatchObject({ isStale: false, value: random.freeRun });
    expect(page.state().measurements).toEqual(random);
  });

  it('a run that failed hands out nothing but its own', async () => {
    const { page, events } = await measured(FOUR);
    const running = isRunning(page);
    page.actions.setMethod('oracle');
    await running;
    events.failed('The device has run out of memory; take a shorter text.');
    events.idle();
    const state = await page.idle();
    expect(state).toMatchObject({ method: 'oracle', measurements: null, origin: null });
    expect(state.error).toMatch(/^The device/);
    expect(shown(page, 'cost')).toMatchObject({ isStale: true, by: { method: { id: 'random' } } });
  });

  it('runs that overtake each other leave the newest values and never mix', async () => {
    const { page, events } = await measured(FOUR);
    const random = page.state().measurements!;
    for (const [id, recall] of [
      ['oracle', 0.75],
      ['lagkv', 0.5],
    ] as const) {
      const running = isRunning(page);
      page.cancel();
      page.actions.setMethod(id);
      await running;
      events.measured({ queries: random.queries, layers: layersOf(page, recall).slice(0, 3) });
    }
    expect(page.state().measurements!.layers.map(({ massRecall }) => massRecall)).toEqual([0.5, 0.5, 0.5]);
    expect(shown(page, 'layers')).toMatchObject({ by: { method: { id: 'random' } }, value: random.layers });
    // Oracle's three layers are worth nothing beside Random's eight: three records do not pile up.
    expect(page.store.getState().records).toHaveLength(2);
  });
});

describe('after another text was chosen', () => {
  it('the values keep the name of their text while it is read, and go when the other text is there', async () => {
    const { page, events } = await measured(FOUR);
    const running = isRunning(page);
    page.actions.setSource({ kind: 'task', task: 'four-needles', tokens: 1024, depth: 'spread', seed: 8 });
    await running;
    expect(page.state()).toMatchObject({ source: { seed: 8 }, measurements: null });
    expect(shown(page, 'freeRun')).toMatchObject({ isStale: true, by: { source: { seed: 7 } } });
    events.text(syntheticText(page.store.getState().session));
    for (const part of parts) expect(shown(page, part), part).toBeNull();
  });
});

describe('a recorded study', () => {
  it('has its own version, and is replaced part by part', async () => {
    const recorded = { ...recordedFixture(), version: '1.1.0' };
    const page = createPage({
      version: '1.2.3',
      methods,
      taskIds,
      sampleIds: ['short'],
      address: { hash: () => '', push: () => {}, onChange: () => () => {} },
      publicAddress: 'https://example.org/',
      snapshot: Promise.resolve(recorded),
      openHub: async () => hubInThread(),
      createClient: (heard) => createFakeClient(heard, { delayMilliseconds: 8 }),
    });
    await page.open();
    const versions = new Set<string | undefined>();
    page.store.subscribe(() => versions.add(shown(page, 'sweep')?.by.version));
    await Promise.resolve();
    await page.idle();
    expect([...versions].filter(Boolean)).toEqual(['1.1.0', '1.2.3']);
  });
});
