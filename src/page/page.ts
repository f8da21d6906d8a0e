/** The page without its pixels: store, actions, address and engine, tied together. Components and window.keyhole stand on it. */
import { createStore, type StoreApi } from 'zustand/vanilla';
import type { HubModels } from '../arrival/hub/hub-models';
import { isHubModel } from '../arrival/model-name';
import { fingerprint } from '../base/fingerprint';
import { UserError } from '../base/user-error';
import type { QueryRow } from '../measure/results';
import { importedMethod, isImported, ofOtherText } from '../methods/imported';
import type { Method } from '../methods/method';
import type { Snapshot } from '../snapshot/snapshot';
import type { ModelNeed, StudyClient, StudyEvents } from '../study/client';
import { parameterContext } from '../study/context';
import type { FindMethod } from '../study/default-study';
import { TilePyramid } from '../tiles/pyramid';
import { type Actions, createActions } from './actions';
import { defaultSession, type Session, studyOf } from './choices';
import { contractState, type KeyholeState } from './contract';
import { followDefaults } from './dependent-defaults';
import { type GivenFile, GivenModels } from './given-models';
import { ImportedMethods } from './imported-methods';
import type { AddressBar } from './link/address-bar';
import type { BackendChoice } from './link/codecs';
import { insideModel, type LinkReading, readLink, writeLink } from './link/link';
import { translateFractions } from './link/old-fractions';
import type { LinkEnvironment } from './link/values';
import { type MeasuredBy, presentMeasurements, presentOrigin } from './measured';
import { createRunScheduler, type RunScheduler } from './run-scheduler';
import {
  chosenQuery,
  contextOf,
  countedLength,
  initialState,
  isTextOf,
  nothingKnown,
  type PageState,
  questionOf,
  textChoice,
  textKeyOf,
  textLength,
} from './state';

export interface PageOptions {
  readonly version: string;
  readonly methods: readonly Method[];
  readonly taskIds: readonly string[];
  readonly sampleIds: readonly string[];
  readonly address: AddressBar;
  /** What Share puts before "#". */
  readonly publicAddress: string;
  readonly snapshot: Promise<Snapshot | null>;
  /** What fetches and keeps models of hubs; fetched when one is named or the form opens. */
  readonly openHub: () => Promise<HubModels>;
  createClient(events: StudyEvents, options: { readonly backend: BackendChoice }): StudyClient;
}

export interface SharedLink {
  readonly url: string;
  /** Characters of an own text that travels in the link; 0: none does. */
  readonly textCharacters: number;
  /** Titles of methods that were brought as files and do not travel. */
  readonly leftOut: readonly string[];
}

export interface Page {
  readonly version: string;
  readonly store: StoreApi<PageState>;
  readonly actions: Actions;
  readonly methods: readonly Method[];
  readonly findMethod: FindMethod;
  /** Reads the address and starts. */
  open(): Promise<void>;
  /** Opens the link after "#", as if it had been followed. */
  follow(hash: string): Promise<void>;
  /** The same, at the end of a gesture: the address and the history get the whole link. */
  visit(hash: string): Promise<void>;
  /**
   * Makes a method of a file of kept keys, chooses it and lets the queries begin where it evicts. Rejects with UserError where it is
   * none, or is of another text or model.
   */
  importKept(file: Blob, name: string): Promise<void>;
  /**
   * Opens what a person dropped or chose, by what is in it: a model, or kept keys. Rejects with UserError, one sentence, where it is
   * nothing that can be opened.
   */
  openFiles(files: readonly GivenFile[]): Promise<void>;
  readonly openHub: () => Promise<HubModels>;
  /** What models with these texts of config.json need, for the present study. Rejects with UserError while the engine is starting. */
  needs(configs: readonly string[]): Promise<readonly (ModelNeed | string)[]>;
  share(): Promise<SharedLink>;
  /** The link to what made a value, whatever the page has come to since. */
  linkTo(by: MeasuredBy): Promise<string>;
  cancel(): void;
  rerun(): void;
  /** Permission for the download that `questionOf` asks about. */
  agree(): void;
  /** Measures time however long it takes. */
  measureTime(): void;
  /** Runs the answers of this method and the pinned ones at every point of their curves, as far as they are not known. */
  answerSweep(): void;
  /** The map's pictures. */
  readonly tiles: TilePyramid;
  row(query: number): Promise<QueryRow>;
  /** Resolves once nothing runs or waits and the numbers are live, or the run has failed. */
  idle(): Promise<KeyholeState>;
  state(): KeyholeState;
  dispose(): void;
}

/** From a gesture's end until the address is written, unless another follows. */
const ADDRESS_MILLISECONDS = 400;

export function createPage(options: PageOptions): Page {
  const { version, methods, address } = options;
  const imported = new ImportedMethods();
  const given = new GivenModels();
  const findMethod: FindMethod = (id) =>
    methods.find((method) => method.id === id) ??
    imported.find(id, () => store.getState().model ?? contextOf(store.getState()));
  const environment: LinkEnvironment = {
    version,
    findMethod,
    methodIds: methods.map(({ id }) => id),
    taskIds: options.taskIds,
    sampleIds: options.sampleIds,
    contextOf: (source) => parameterContext(source, null, null),
  };
  const store = createStore<PageState>(() => initialState(defaultSession(findMethod, environment.contextOf)));
  let runner: RunScheduler | null = null;
  let backend: BackendChoice = 'auto';
  let linkDigest: string | null = null;
  let followsText = true;
  /** Of an older link whose kept fractions cannot be translated before its text is there. */
  let untranslated: Pick<LinkReading, 'version' | 'oldFractions'> | null = null;
  let opening = 1;
  let writes = 0;
  /** Set while the address has not been written since a gesture's end. */
  let rest: ReturnType<typeof setTimeout> | undefined;

  /** Key presses on a slider come in rows and are one entry of the history; what they change is shown before it is written. */
  const commit = (): void => {
    clearTimeout(rest);
    rest = setTimeout(writeAddress, ADDRESS_MILLISECONDS);
  };
  const writeAddress = async (): Promise<void> => {
    clearTimeout(rest);
    writes += 1;
    const mine = writes;
    const digest = store.getState().model?.digest ?? linkDigest;
    const hash = await writeLink(store.getState().session, { version: linkVersion(), digest, backend });
    if (mine !== writes) return;
    rest = undefined;
    address.push(hash);
    // Waiters look at the store.
    store.setState({});
  };
  /** Fractions that are not translated yet are those of the version that wrote them. */
  const linkVersion = (): string => untranslated?.version ?? version;
  const translate = (): void => {
    const { session, text } = store.getState();
    if (!untranslated || !text || !isTextOf(store.getState())) return;
    const result = translateFractions(session, untranslated.oldFractions, findMethod, text);
    untranslated = null;
    if (result.session === session) return;
    store.setState({ session: result.session });
    actions.notify(result.notice, true);
    runner?.schedule();
  };
  let context = parameterContext(store.getState().session.source, null, null);
  const changed = (isOtherSource: boolean): void => {
    if (isOtherSource) {
      followsText = true;
      context = contextOf(store.getState());
    }
    runner?.schedule();
  };
  const actions = createActions({ store, findMethod, changed, commit });

  /** The engine has said what model or text it is: layers, digest and lengths are known now. */
  const onFacts = (): void => {
    const { session, model } = store.getState();
    if (model) {
      const notices: string[] = [];
      const view = insideModel(session.view, model, notices);
      if (view !== session.view) store.setState({ session: { ...session, view } });
      for (const notice of notices) actions.notify(notice, true);
      if (linkDigest !== null && linkDigest !== model.digest) {
        actions.notify(
          'The link was made with other weights than these: the numbers are measured anew and will differ.',
          true,
        );
        linkDigest = null;
      }
    }
    translate();
    const before = context;
    context = contextOf(store.getState());
    if (followsText) {
      const now = store.getState().session;
      const followed = followDefaults(now, findMethod, before, context);
      if (fingerprint(followed) !== fingerprint(now)) {
        store.setState({ session: followed });
        runner?.schedule();
      }
    }
  };

  /** What is stored whole needs no download, and so no click. */
  const agreeToStored = async (model: string): Promise<void> => {
    const { agreedModels } = store.getState();
    if (!isHubModel(model) || agreedModels.has(model)) return;
    const hub = await options.openHub();
    // Where that cannot be found out, the person is asked.
    const isStored = await hub.ask('isStored', model).catch(() => false);
    if (isStored) store.setState({ agreedModels: new Set([...agreedModels, model]) });
  };

  const follow = async (hash: string): Promise<void> => {
    opening += 1;
    writes += 1;
    clearTimeout(rest);
    rest = undefined;
    try {
      const reading = await readLink(hash, environment);
      if (!runner) backend = reading.backend;
      linkDigest = reading.digest;
      await agreeToStored(reading.session.model);
      const isOtherModel = reading.session.model !== store.getState().session.model;
      // What was said of an earlier link is not true of this one.
      const opened = { session: reading.session, cell: null, notices: [] };
      store.setState({ ...opened, ...(isOtherModel ? nothingKnown : {}) });
      context = contextOf(store.getState());
      followsText = !reading.namesParameters;
      untranslated = reading.oldFractions.length > 0 ? reading : null;
      if (store.getState().model) onFacts();
      for (const notice of reading.notices) actions.notify(notice, reading.changes.includes(notice));
      runner?.schedule();
    } finally {
      opening -= 1;
      // Waiters look at the store: tell them that the opening is over.
      store.setState({});
    }
  };

  const notYet = () => Promise.reject(new UserError('The engine is still starting; the picture follows.'));
  const tiles = new TilePyramid({
    source: {
      attention: (request, signal) => runner?.ask('attention', request, signal) ?? notYet(),
      coverage: (request, signal) => runner?.ask('coverage', request, signal) ?? notYet(),
    },
  });
  // A text was read, or a selection is there.
  store.subscribe(({ pictureVersion }, before) => {
    if (pictureVersion !== before.pictureVersion) tiles.announce();
  });

  const stopListening = address.onChange((hash) => void follow(hash));
  const resolvedSession = (): Session => {
    const state = store.getState();
    return { ...state.session, view: { ...state.session.view, query: chosenQuery(state) } };
  };
  const state = (): KeyholeState => contractState(store.getState(), version);
  const isIdle = (): boolean => {
    const { records, session, error, problem } = store.getState();
    const origin = presentOrigin(records, session);
    const isAsking = questionOf(store.getState()) !== null;
    const isQuiet = runner?.isQuiet() ?? false;
    return (
      opening === 0 &&
      rest === undefined &&
      isQuiet &&
      (origin === 'live' || error !== null || problem !== null || isAsking)
    );
  };

  return {
    version,
    store,
    actions,
    methods,
    findMethod,
    follow,
    async visit(hash) {
      await follow(hash);
      await writeAddress();
    },
    async open() {
      await follow(address.hash());
      options.snapshot.then((recorded) => recorded && showRecorded(store, recorded));
      runner = createRunScheduler({
        store,
        version,
        findMethod,
        onFacts,
        createClient: (events) => options.createClient(events, { backend }),
      });
      for (const selection of imported.all()) runner.bring(selection);
      for (const [model, files] of given.all()) runner.give(model, files);
      runner.schedule();
      opening -= 1;
    },
    async importKept(file, name) {
      const { readKeptFile } = await import('./read-kept');
      const selection = await readKeptFile(file, name);
      const state = store.getState();
      const context = { ...contextOf(state), tokens: textLength(state) };
      importedMethod(selection, context).validate?.({}, context);
      const id = imported.add(selection);
      runner?.bring(selection);
      store.setState({ imported: [...new Set([...store.getState().imported, id])] });
      actions.setMethod(id);
      const start = selection.blocks?.[0]?.start ?? selection.evictedAfter;
      if (start !== null && start < context.tokens) actions.setQueriesStart(start);
      const counted = countedLength(state);
      const other = counted === null ? null : ofOtherText(selection, counted);
      if (other) actions.notify(other, true);
    },
    async openFiles(files) {
      const { recognise } = await import('./recognise');
      const found = await recognise(files);
      if (found.kind === 'kept') {
        await this.importKept(found.file, found.file.name);
        return;
      }
      const model = given.add(found.name, found.files);
      runner?.give(model, found.files);
      actions.openModel(model);
    },
    openHub: options.openHub,
    needs(configs) {
      const state = store.getState();
      const { tokens } = contextOf(state);
      const text = isTextOf(state) ? state.text : null;
      const request = {
        ...{ configs, tokens, spec: studyOf(state.session) },
        queriesStart: text?.queries.start ?? Math.floor((tokens * 7) / 8),
        answerStart: text?.answerStart ?? null,
      };
      return runner?.ask('needs', request) ?? notYet();
    },
    async share() {
      const { session, model } = store.getState();
      const hash = await writeLink(resolvedSession(), {
        version: linkVersion(),
        digest: model?.digest ?? null,
      });
      const textCharacters = session.source.kind === 'text' ? session.source.text.length : 0;
      const files = [session.method, ...session.pinned].filter(({ id }) => isImported(id));
      const leftOut = [...new Set(files.map(({ id }) => findMethod(id)?.title ?? id))];
      return { url: `${options.publicAddress}#${hash}`, textCharacters, leftOut };
    },
    async linkTo({ model, modelDigest, source, queriesStart, startToken, chatTemplate, method }) {
      const session = {
        ...resolvedSession(),
        ...{ model, source, queriesStart, startToken, chatTemplate, method },
      };
      return `${options.publicAddress}#${await writeLink(session, { version, digest: modelDigest })}`;
    },
    cancel: () => runner?.cancel(),
    rerun: () => runner?.rerun(),
    agree() {
      const question = questionOf(store.getState());
      if (question?.kind === 'model') actions.agreeToModel();
      else if (question?.kind === 'given') actions.showModelForm('files');
      else if (question) runner?.agree(question);
    },
    measureTime: () => runner?.measureTime(),
    answerSweep: () => runner?.answerSweep(),
    tiles,
    row: (query) => (runner ? runner.row(query) : new Promise(() => {})),
    idle: () =>
      new Promise((resolve) => {
        const check = (): void => {
          if (!isIdle()) return;
          unsubscribe();
          resolve(state());
        };
        const unsubscribe = store.subscribe(() => queueMicrotask(check));
        check();
      }),
    state,
    dispose() {
      stopListening();
      clearTimeout(rest);
      tiles.dispose();
      runner?.dispose();
    },
  };
}

/** Shows a recorded study if it is the one that is asked for and nothing live is there yet. */
function showRecorded(store: StoreApi<PageState>, recorded: Snapshot): void {
  const { session, records, model, text } = store.getState();
  const { layer, head } = session.view;
  if (presentMeasurements(records, session) || fingerprint(studyOf(session)) !== fingerprint(recorded.spec))
    return;
  const query = chosenQuery({ session, text: recorded.text });
  const { row } = recorded;
  const isRowOfView = row.layer === layer && row.head === head && row.query === query;
  store.setState({
    model: model ?? recorded.model,
    text: text ?? recorded.text,
    textKey: textKeyOf(session),
    textOf: textChoice(session),
    records: [
      ...records,
      {
        by: {
          version: recorded.version,
          model: session.model,
          modelDigest: recorded.model.digest,
          source: session.source,
          queriesStart: session.queriesStart,
          startToken: session.startToken,
          method: session.method,
        },
        origin: 'recorded',
        isComplete: true,
        layerCount: recorded.measurements.layers.length,
        measurements: recorded.measurements,
        assumptions: [],
        timing: recorded.timing,
      },
    ],
    thumbnails: recorded.thumbnails,
    row: isRowOfView ? recorded.row : null,
    snapshotMap: recorded.map,
  });
}
