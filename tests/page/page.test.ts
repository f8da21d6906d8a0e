import { describe, expect, it, vi } from 'vitest';
import { methods } from '../../src/methods';
import { type TensorToWrite, writeSafetensors } from '../../src/model/files/safetensors-writer';
import type { AddressBar } from '../../src/page/link/address-bar';
import { type MeasuredPart, shownPart } from '../../src/page/measured';
import { createPage, type Page, type PageOptions } from '../../src/page/page';
import { packSnapshot, unpackSnapshot } from '../../src/snapshot/snapshot';
import type { StudyEvents } from '../../src/study/client';
import { taskIds } from '../../src/tasks';
import { hubInThread } from '../arrival/hub/hub-in-thread';
import { startHub } from '../arrival/hub/server';
import { recordedFixture } from '../snapshot/snapshot-fixture';
import { createFakeClient, type FakeClient, type FakeOptions } from './fake-client';

class FakeAddress implements AddressBar {
  entries: string[];
  #listeners = new Set<(hash: string) => void>();
  constructor(hash: string) {
    this.entries = [hash];
  }
  hash(): string {
    return this.entries.at(-1)!;
  }
  push(hash: string): void {
    if (hash !== this.hash()) this.entries.push(hash);
  }
  onChange(listener: (hash: string) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }
  back(): void {
    this.entries.pop();
    for (const listener of this.#listeners) listener(this.hash());
  }
}

interface Opened {
  page: Page;
  client: FakeClient;
  address: FakeAddress;
}

async function open(
  hash = '',
  options: FakeOptions &
    Partial<Pick<PageOptions, 'snapshot' | 'openHub'>> & { hear?: (events: StudyEvents) => void } = {},
): Promise<Opened> {
  const address = new FakeAddress(hash);
  let client: FakeClient | undefined;
  const page = createPage({
    version: '1.2.3',
    methods,
    taskIds,
    sampleIds: ['short'],
    address,
    publicAddress: 'https://example.org/keyhole/',
    snapshot: options.snapshot ?? Promise.resolve(null),
    openHub: options.openHub ?? (async () => hubInThread()),
    createClient: (events) => {
      options.hear?.(events);
      client = createFakeClient(events, options);
      return client;
    },
  });
  await page.open();
  return { page, client: client!, address };
}

/** Two tokens of one key-value head and three of the other, in each layer. */
function keptFile(
  layers: number,
  evictedAfter = '900',
  more: { readonly [name: string]: string } = {},
): Blob {
  const tensor: TensorToWrite = { dtype: 'I32', shape: [2, 3], data: Int32Array.of(0, 1, 2, 0, 5, -1) };
  const tensors = Object.fromEntries(Array.from({ length: layers }, (_, l) => [`kept.${l}`, tensor]));
  return new Blob([writeSafetensors(tensors, { evicted_after: evictedAfter, ...more })]);
}

const shownOf = <Part extends MeasuredPart>(page: Page, part: Part) => {
  const { records, session } = page.store.getState();
  return shownPart(records, session, part);
};

describe('the page', () => {
  it('measures the default study', async () => {
    const { page, client } = await open();
    const state = await page.idle();
    expect(state).toMatchObject({
      version: '1.2.3',
      source: { kind: 'task', task: 'four-needles', tokens: 1024, depth: 'spread', seed: 7 },
      method: 'esa',
      parameters: { selectedTokens: 128, localTokens: 128 },
      origin: 'live',
      error: null,
      backend: 'cpu',
    });
    expect(state.pinned.map((method) => method.id)).toEqual(['oracle', 'streaming-llm', 'lagkv', 'random']);
    expect(state.measurements?.layers).toHaveLength(8);
    expect(state.measurements?.sweep).toHaveLength(5);
    expect(client.runs).toHaveLength(1);
  });

  it('runs once for many small changes, and again after the next', async () => {
    const { page, client } = await open();
    await page.idle();
    for (const tokens of [120, 112, 96, 64]) page.actions.setParameter('selectedTokens', tokens, false);
    await page.idle();
    expect(client.runs).toHaveLength(2);
    expect(client.runs[1]?.method.parameters.selectedTokens).toBe(64);
    page.actions.setView({ layer: 3 }, true);
    await page.idle();
    expect(client.runs).toHaveLength(2);
  });

  it('does not run for a change that was taken back at once', async () => {
    const { page, client } = await open();
    await page.idle();
    page.actions.setParameter('selectedTokens', 64, false);
    page.actions.setParameter('selectedTokens', 128, true);
    await page.idle();
    expect(client.runs).toHaveLength(1);
  });

  it('opens its own shared link as an equal state', async () => {
    const { page } = await open('#backend=cpu');
    await page.idle();
    page.actions.setMethod('lagkv');
    page.actions.setParameter('keepFraction', 0.3, true);
    page.actions.unpin(0);
    page.actions.setView(
      { layer: 4, head: 2, zoom: { rowStart: 5, rowEnd: 90, columnStart: 0, columnEnd: 85 } },
      true,
    );
    page.actions.setSource({
      kind: 'text',
      text: 'Zwölf <b>Boxkämpfer</b> jagen Viktor quer über den Sylter Deich. '.repeat(20),
    });
    const made = await page.idle();
    const { url, textCharacters } = await page.share();
    expect(url).toMatch(/^https:\/\/example\.org\/keyhole\/#v=1\.2\.3&/);
    expect(url).not.toContain('backend');
    expect(textCharacters).toBeGreaterThan(1000);

    const opened = await open(new URL(url).hash);
    const { timing: _, origin: __, ...state } = await opened.page.idle();
    const { timing: ___, origin: ____, ...expected } = made;
    expect(state).toEqual(expected);
  });

  it('evicts after the question where that is chosen, and says so in state and link', async () => {
    const { page, client } = await open();
    expect((await page.idle()).evictAfter).toBe('context');
    page.actions.setQueriesStart('answer');
    expect((await page.idle()).evictAfter).toBe('question');
    expect(client.runs.at(-1)).toMatchObject({ queriesStart: 'answer' });
    // It is said of every task; a chosen token is one of this text alone.
    page.actions.setSource({ kind: 'task', task: 'stars', tokens: 512, depth: 'spread', seed: 1 });
    const made = await page.idle();
    expect(made.evictAfter).toBe('question');
    const { url } = await page.share();
    expect(url).toContain('&evictAfter=question&');
    const opened = await open(new URL(url).hash);
    expect(await opened.page.idle()).toMatchObject({ evictAfter: 'question', source: made.source });
    page.actions.setQueriesStart(300);
    expect((await page.idle()).evictAfter).toBeNull();
    page.actions.setSource({ kind: 'sample', sample: 'short', tokens: null });
    expect((await page.idle()).evictAfter).toBeNull();
    expect((await page.share()).url).not.toMatch(/evictAfter|queries/);
  });

  it('takes a file of kept keys as a method, and leaves it out of links', async () => {
    const { page, client } = await open();
    await page.idle();
    await page.importKept(keptFile(8), 'mine.safetensors');
    const { method, pinned, queriesStart } = page.store.getState().session;
    expect(method).toEqual({ id: expect.stringMatching(/^imported-[0-9a-f]{8}$/), parameters: {} });
    expect(queriesStart).toBe(900);
    expect(page.findMethod(method.id)).toMatchObject({ title: 'Imported: mine.safetensors' });
    expect(page.store.getState().imported).toEqual([method.id]);
    expect(client.brought.map(({ name }) => name)).toEqual(['mine.safetensors']);
    expect((await page.idle()).method).toBe(method.id);
    expect(client.runs.at(-1)).toMatchObject({ method, queriesStart: 900 });

    page.actions.pin(method);
    const { url, leftOut } = await page.share();
    expect(leftOut).toEqual(['Imported: mine.safetensors']);
    expect(url).not.toContain('imported');
    const opened = (await open(new URL(url).hash)).page;
    await opened.idle();
    expect(opened.store.getState().notices).toEqual([]);
    expect(opened.store.getState().session).toMatchObject({
      queriesStart: 900,
      pinned,
      method: { id: 'esa' },
    });
    page.actions.setMethod('random');
    page.actions.unpin(page.store.getState().session.pinned.length - 1);
    expect((await page.share()).leftOut).toEqual([]);
  });

  it('says in full view that a file is of another text by its own account', async () => {
    const { page } = await open();
    await page.idle();
    await page.importKept(keptFile(8, '900', { tokens: '1024' }), 'mine.safetensors');
    expect(page.store.getState().notices).toEqual([]);
    await page.importKept(keptFile(8, '900', { tokens: '1500' }), 'other.safetensors');
    expect(page.store.getState().notices).toMatchObject([
      {
        isChange: true,
        sentence: expect.stringMatching(
          /^other\.safetensors says that it is of another text: its text has 1500/,
        ),
      },
    ]);
  });

  it('names the file and says the length of the text that was read, not the one that was asked for', async () => {
    const { page } = await open();
    await page.idle();
    const text = page.store.getState().text!;
    page.store.setState({ text: { ...text, tokens: 1016 } });
    const refused = page.importKept(keptFile(8, '1020'), 'late.safetensors');
    await expect(refused).rejects.toThrow(
      'late.safetensors evicts after 1020 tokens, and the text has 1016: it belongs to another text.',
    );
  });

  it('refuses a file of kept keys that is not of this model and text, and changes nothing', async () => {
    const { page, client } = await open();
    await page.idle();
    const before = page.store.getState().session;
    const refused = (file: Blob) => expect(page.importKept(file, 'other.safetensors')).rejects;
    await refused(keptFile(9)).toThrow(/^other\.safetensors has keys of layer 8, and the model has 8 layers/);
    await refused(keptFile(8, '2000')).toThrow(/evicts after 2000 tokens, and the text has 1024/);
    await refused(new Blob(['kept'])).toThrow(/safetensors/);
    expect(page.store.getState().session).toBe(before);
    expect(client.brought).toEqual([]);
  });

  it('writes the address at the end of a gesture, and goes back', async () => {
    const { page, address } = await open();
    await page.idle();
    page.actions.setParameter('selectedTokens', 64, false);
    page.actions.setParameter('selectedTokens', 32, false);
    expect(address.entries).toHaveLength(1);
    // As a key that is held down does; one entry.
    page.actions.setParameter('selectedTokens', 48, true);
    page.actions.setParameter('selectedTokens', 32, true);
    await page.idle();
    expect(address.entries).toHaveLength(2);
    expect(address.hash()).toContain('p.selectedTokens=32');
    page.actions.setView({ mode: 'full' }, true);
    await vi.waitFor(() => expect(address.entries).toHaveLength(3));
    address.back();
    await vi.waitFor(() => expect(page.state().view.mode).toBe('both'));
    expect(page.state().parameters.selectedTokens).toBe(32);
    address.back();
    await vi.waitFor(() => expect(page.state().parameters.selectedTokens).toBe(128));
    const state = await page.idle();
    expect(state.error).toBeNull();
  });

  it('takes over text and model once, however often the engine says what they are', async () => {
    const { page, client } = await open();
    await page.idle();
    const { text, model, pictureVersion } = page.store.getState();
    page.actions.setParameter('selectedTokens', 64, true);
    await page.idle();
    expect(client.runs).toHaveLength(2);
    expect(page.store.getState()).toMatchObject({ pictureVersion: pictureVersion + 1 });
    expect(page.store.getState().text).toBe(text);
    expect(page.store.getState().model).toBe(model);
    page.actions.setSource({ kind: 'sample', sample: 'short', tokens: null });
    await page.idle();
    expect(page.store.getState().text).not.toBe(text);
  });

  it('resolves idle after a failure, with its sentence', async () => {
    const { page } = await open('', { failure: 'The model file is damaged; get it again.' });
    const state = await page.idle();
    expect(state.error).toBe('The model file is damaged; get it again.');
    expect(state.origin).not.toBe('live');
  });

  it('says what is wrong with parameters, and runs again when they are right', async () => {
    const { page, client } = await open();
    await page.idle();
    page.actions.setParameter('localTokens', 1020, true);
    const wrong = await page.idle();
    expect(wrong.error).toMatch(/localTokens|local/i);
    expect(wrong.parameters.localTokens).toBe(1020);
    // Nothing was measured with these; what was is still there, under its own name.
    expect(wrong.measurements).toBeNull();
    expect(shownOf(page, 'layers')).toMatchObject({
      isStale: true,
      by: { method: { parameters: { localTokens: 128 } } },
    });
    expect(client.runs).toHaveLength(1);
    page.actions.setParameter('localTokens', 128, true);
    expect((await page.idle()).error).toBeNull();
  });

  it('says that a cancelled first run has measured nothing', async () => {
    const { page } = await open();
    page.cancel();
    expect((await page.idle()).error).toMatch(/^Cancelled: nothing had been measured\./);
  });

  it('keeps what was measured when a run is cancelled', async () => {
    const { page, client } = await open();
    await page.idle();
    // Listening, not polling: on a busy machine the run could end between two looks.
    const started = new Promise<void>((resolve) => {
      page.store.subscribe(({ running }) => running && resolve());
    });
    page.actions.setParameter('selectedTokens', 64, true);
    await started;
    page.cancel();
    const state = await page.idle();
    expect(state.error).toMatch(/^Cancelled: what had been measured stays\./);
    expect(client.cancelled).toBe(1);
    expect(state).toMatchObject({ measurements: null, origin: null });
    expect(shownOf(page, 'layers')?.value).toHaveLength(8);
    expect(shownOf(page, 'layers')?.by.method.parameters.selectedTokens).toBe(128);
    page.rerun();
    expect(await page.idle()).toMatchObject({ error: null, origin: 'live' });
  });

  it.each(['measureTime', 'answerSweep'] as const)(
    'runs a cancelled study again where %s needs it, and comes to rest',
    async (asked) => {
      const { page, client } = await open();
      await page.idle();
      page.cancel();
      await page.idle();
      page[asked]();
      const state = await page.idle();
      expect(client.runs).toHaveLength(2);
      expect(state).toMatchObject({ error: null, origin: 'live' });
      expect(page.store.getState().running).toBe(false);
    },
  );

  it('moves defaults along with the length of the text, and leaves chosen values', async () => {
    const { page } = await open();
    await page.idle();
    page.actions.setSource({ kind: 'task', task: 'four-needles', tokens: 2048, depth: 'spread', seed: 7 });
    expect(page.state().parameters).toMatchObject({ selectedTokens: 256, localTokens: 256 });
    page.actions.setParameter('selectedTokens', 100, true);
    page.actions.setSource({ kind: 'task', task: 'four-needles', tokens: 1024, depth: 'spread', seed: 7 });
    expect(page.state().parameters).toMatchObject({ selectedTokens: 100, localTokens: 256 });
  });

  it('moves defaults along once the length of an own text is known', async () => {
    const { page } = await open();
    await page.idle();
    // 1,500 short words: the estimate from characters is far below.
    page.actions.setSource({ kind: 'text', text: 'a '.repeat(1500) });
    const state = await page.idle();
    expect(page.store.getState().text?.tokens).toBe(1501);
    expect(state.parameters).toMatchObject({ selectedTokens: 176, localTokens: 176 });
  });

  it('leaves the parameters of a link as they are, whatever the length of its text', async () => {
    const { page } = await open();
    page.actions.setSource({ kind: 'text', text: 'a '.repeat(1500) });
    page.actions.setParameters({ ...page.state().parameters, selectedTokens: 40 }, true);
    await page.idle();
    const opened = await open(new URL((await page.share()).url).hash);
    expect((await opened.page.idle()).parameters).toEqual(page.state().parameters);
  });

  it('moves defaults along with the parameter they follow, until they are chosen themselves', async () => {
    const { page } = await open();
    page.actions.setParameter('localTokens', 256, true);
    expect(page.state().parameters).toMatchObject({ localTokens: 256, globalPosition: 256 });
    page.actions.setParameter('globalPosition', 200, true);
    // On its way past 200 the local window is at the chosen value, which is no reason to take it along.
    for (const tokens of [208, 200, 192]) page.actions.setParameter('localTokens', tokens, false);
    expect(page.state().parameters).toMatchObject({ localTokens: 192, globalPosition: 200 });
    page.actions.setMethod('lagkv');
    page.actions.setParameter('variant', 'kvpress', true);
    expect(page.state().parameters.sinkTokens).toBe(4);
    page.actions.setParameter('sinkTokens', 16, true);
    for (const variant of ['official', 'kvpress']) page.actions.setParameter('variant', variant, true);
    expect(page.state().parameters.sinkTokens).toBe(16);
  });

  it('remembers the parameters of a method that was left', async () => {
    const { page } = await open();
    page.actions.setParameter('selectedTokens', 48, true);
    page.actions.setMethod('random');
    page.actions.setMethod('esa');
    expect(page.state().parameters.selectedTokens).toBe(48);
  });

  it('runs nothing with the model of a link before somebody has agreed to it', async () => {
    const { page, client } = await open('#model=https://example.org/m@0123&layer=2');
    const asking = await page.idle();
    expect(asking.error).toContain('asks for the model at https://example.org/m;');
    expect(asking).toMatchObject({ origin: null, measurements: null, view: { layer: 2 } });
    expect(client.runs).toHaveLength(0);
    expect((await page.share()).url).toContain('model=https://example.org/m@');

    page.actions.agreeToModel();
    expect(await page.idle()).toMatchObject({ error: null, origin: 'live' });
    expect(client.runs.map((run) => run.model)).toEqual(['https://example.org/m']);
    await page.follow('#seed=8');
    await page.follow('#model=https://example.org/m&seed=9');
    await page.idle();
    expect(client.runs.at(-1)).toMatchObject({ model: 'https://example.org/m', source: { seed: 9 } });
  });

  it('opens a model of a hub without a question where it is stored, and asks where it is not', async () => {
    const server = await startHub({ 'config.json': '{}', 'model.safetensors': 'weights' });
    try {
      const hub = hubInThread();
      hub.setHub({ address: server.address, hosts: [] });
      const model = 'hub:owner/name@main';
      const { page, client } = await open(`#model=${model}`, { openHub: async () => hub });
      expect((await page.idle()).error).toBe(
        'This link asks for the model of the hub owner/name; nothing is downloaded until somebody chooses "Load this model" on the page.',
      );
      expect(server.asked, 'not even its list of files').toEqual([]);
      for (const path of ['config.json', 'model.safetensors']) await hub.ask('get', model, path, 1e9);
      await page.follow('#seed=8');
      await page.follow(`#model=${model}@&seed=9`);
      expect(await page.idle()).toMatchObject({ error: null, origin: 'live' });
      expect(client.runs.at(-1)).toMatchObject({ model, source: { seed: 9 } });
    } finally {
      await server.close();
    }
  });

  it('opens given files as a model, which a link names and asks for again', async () => {
    const { page, client } = await open();
    await page.idle();
    const files = [
      { path: 'tiny/config.json', file: new File(['{}'], 'config.json') },
      { path: 'tiny/model.safetensors', file: new File(['w'], 'model.safetensors') },
    ];
    await page.openFiles(files);
    expect(await page.idle()).toMatchObject({ error: null, origin: 'live' });
    expect(client.runs.at(-1)).toMatchObject({ model: 'file:tiny' });
    expect([...client.given.get('file:tiny')!.keys()]).toEqual(['config.json', 'model.safetensors']);
    await page.openFiles(files);
    expect(client.given.size, 'the same files').toBe(1);
    await page.openFiles([
      ...files,
      { path: 'tiny/tokenizer.json', file: new File(['{}'], 'tokenizer.json') },
    ]);
    expect([...client.given.keys()]).toEqual(['file:tiny', 'file:tiny (2)']);
    const { url } = await page.share();
    const other = await open(url.slice(url.indexOf('#')));
    expect((await other.page.idle()).error).toBe(
      'This link’s model was read from files of somebody’s machine, tiny (2); somebody has to drop them on the page again.',
    );
    other.page.agree();
    expect(other.page.store.getState().modelForm).toBe('files');
    expect(other.client.runs).toEqual([]);
  });

  it('asks again for each other model, and goes back to the bundled one', async () => {
    const { page, client } = await open();
    await page.idle();
    await page.follow('#model=other/folder');
    expect((await page.idle()).error).toContain('other/folder');
    // What was measured with the bundled model is not shown as if it were this one's.
    expect(page.state()).toMatchObject({ measurements: null, modelDigest: null, origin: null });
    page.actions.setModel('bundled');
    expect((await page.idle()).error).toBeNull();
    expect(client.runs.map((run) => run.model)).toEqual(['bundled', 'bundled']);
    expect(page.store.getState().notices).toEqual([]);
  });

  it.each([
    // ⌊f·T⌋ keys of 1,024 stay, of 980 before the queries.
    ['method=random&p.keepFraction=0.25', 256 / 980],
    ['method=streaming-llm&p.keepFraction=0.25&p.positions=original', 256 / 980],
    ['method=lagkv&p.variant=kvpress&p.keepFraction=0.5', 512 / 980],
    ['method=streaming-llm&p.keepFraction=0.25&p.positions=cache', 0.25],
    ['method=lagkv&p.variant=official&p.keepFraction=0.25', 0.25],
    ['method=oracle&p.keepFraction=0.25', 0.25],
    ['method=esa&p.selectedTokens=64', undefined],
    ['method=full', undefined],
  ])('opens %s of 0.1.0 as it was meant', async (link, fraction) => {
    const { page, client, address } = await open(`#v=0.1.0&seed=3&${link}&pin=none&theme=dark`);
    const state = await page.idle();
    expect(state.error).toBeNull();
    const { keepFraction } = state.parameters as { keepFraction?: number };
    if (fraction === undefined) expect(keepFraction).toBeUndefined();
    else expect(keepFraction).toBeCloseTo(fraction, 12);
    const isTranslated = fraction !== undefined && fraction !== 0.25;
    if (isTranslated) expect(Math.floor(keepFraction! * 980)).toBe(Math.round(fraction * 980));
    expect(client.runs.at(-1)?.method.parameters).toEqual(state.parameters);
    const notices = page.store.getState().notices.map(({ sentence }) => sentence);
    expect(notices).toHaveLength(isTranslated ? 2 : 1);
    expect(notices.some((sentence) => /^The kept fraction of .* was translated/.test(sentence))).toBe(
      isTranslated,
    );
    // What is written from here on is of this version, and means the same.
    page.actions.setView({ layer: 2 }, true);
    await vi.waitFor(() => expect(address.hash()).toContain('layer=2'));
    expect(address.hash()).toMatch(/^v=1\.2\.3&/);
    const again = await open(address.hash());
    expect((await again.page.idle()).parameters).toEqual(state.parameters);
    expect(again.page.store.getState().notices).toEqual([]);
  });

  it('translates pinned methods of 0.1.0, too, and writes the old version until the text is there', async () => {
    const { page } = await open(
      '#v=0.1.0&method=esa&pin=random(keepFraction:0.25,seed:3);oracle(keepFraction:0.25)&theme=dark',
      { delayMilliseconds: 10 },
    );
    expect((await page.share()).url).toContain('#v=0.1.0&');
    const { pinned } = await page.idle();
    expect(pinned[0]!.parameters.keepFraction).toBeCloseTo(256 / 980, 12);
    expect(pinned[1]!.parameters.keepFraction).toBe(0.25);
    expect((await page.share()).url).toContain('#v=1.2.3&');
  });

  it('says that a link was made with other weights', async () => {
    const { page } = await open('#model=bundled@0123456789ab');
    await page.idle();
    expect(page.store.getState().notices.map((notice) => notice.sentence)).toEqual([
      'The link was made with other weights than these: the numbers are measured anew and will differ.',
    ]);
  });

  it('says nothing of an earlier link any more once the next one opens', async () => {
    const { page, address } = await open('#layer=2');
    await page.idle();
    page.actions.notify('The earlier link was odd.', true);
    page.actions.setParameter('selectedTokens', 64, true);
    await vi.waitFor(() => expect(address.entries).toHaveLength(2));
    address.back();
    await vi.waitFor(() => expect(page.state().parameters.selectedTokens).toBe(128));
    expect(page.store.getState().notices).toEqual([]);
  });

  it('shows the nearest layer and head where a link names one that is not there', async () => {
    const { page } = await open('#layer=99&head=7');
    const state = await page.idle();
    expect(state.view).toMatchObject({ layer: 7, head: 5 });
    expect(page.store.getState().notices).toHaveLength(1);
  });

  it('shows the recorded study until live numbers are there', async () => {
    const recorded = recordedFixture();
    const { page } = await open('', { snapshot: Promise.resolve(recorded), delayMilliseconds: 15 });
    await vi.waitFor(() => expect(page.state().origin).toBe('recorded'));
    expect(page.state().measurements).toEqual(recorded.measurements);
    expect((await page.idle()).origin).toBe('live');
  });

  it('does not show the recorded study for another one', async () => {
    const { page } = await open('#seed=8', {
      snapshot: Promise.resolve(recordedFixture()),
      delayMilliseconds: 5,
    });
    const origins = new Set<string | null>();
    page.store.subscribe(() => origins.add(page.state().origin));
    await page.idle();
    expect([...origins]).not.toContain('recorded');
  });
});

describe('a recorded study', () => {
  it('comes back from its file: numbers exactly, pictures to two steps of colour', async () => {
    const study = recordedFixture();
    const back = await unpackSnapshot(JSON.parse(JSON.stringify(await packSnapshot(study))));
    expect(back).not.toBeNull();
    const { map, thumbnails, ...numbers } = back!;
    const { map: _, thumbnails: __, ...expected } = study;
    expect(numbers).toEqual(expected);
    const compare = (got: Float32Array, want: Float32Array) => {
      expect(got).toHaveLength(want.length);
      let compared = 0;
      for (const [at, weight] of want.entries()) {
        if (weight < 1e-5) continue;
        compared += 1;
        expect(Math.abs(Math.log10(got[at]! / weight))).toBeLessThan(2 / (256 / 5) + 1e-6);
      }
      expect(compared).toBeGreaterThan(100);
    };
    compare(thumbnails.maximum, study.thumbnails.maximum);
    compare(map.maximum, study.map.maximum);
    expect(map.excess.map((value) => Number(value >= 1))).toEqual(
      study.map.excess.map((value) => Number(value >= 1)),
    );
  });

  it('is refused where a number or a name is of another kind, or a key is not known', async () => {
    const file = await packSnapshot(recordedFixture());
    const other = [
      { ...file, spec: { ...file.spec, model: 3 } },
      { ...file, model: { ...file.model, layers: 1.5 } },
      {
        ...file,
        measurements: {
          ...file.measurements,
          layers: [{ ...file.measurements.layers[0], outputError: null }],
        },
      },
      { ...file, row: { ...file.row, rule: { ...file.row.rule, kind: 'whim' } } },
      { ...file, more: 1 },
    ];
    expect(await unpackSnapshot(JSON.parse(JSON.stringify(file)))).not.toBeNull();
    for (const changed of other) expect(await unpackSnapshot(changed)).toBeNull();
  });

  it('throws where a picture is cut short, or its bytes are damaged', async () => {
    const file = await packSnapshot(recordedFixture());
    const withMap = (maximum: typeof file.map.maximum) =>
      unpackSnapshot({ ...file, map: { ...file.map, maximum } });
    await expect(withMap(file.thumbnails.maximum)).rejects.toThrow(RangeError);
    await expect(withMap({ ...file.map.maximum, bytes: 'AAAA' })).rejects.toThrow();
  });

  it.each([null, 3, {}, { format: 'keyhole-study-3' }, { format: 'other' }])(
    'is refused when it is %j',
    async (file) => {
      expect(await unpackSnapshot(file)).toBeNull();
    },
  );
});
