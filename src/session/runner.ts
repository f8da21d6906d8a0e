/**
 * Between the store and the engine: starts a run when the study has changed, lets a newer one overtake it, and puts into the
 * store what the engine says.
 */
import type { StoreApi } from 'zustand/vanilla';
import type { StudyClient, StudyEvents } from '../study/client';
import type { TileSource } from '../study/tile-work';
import type { Measurements, QueryRow } from '../study/types';
import { isUserError } from '../user-error';
import { parameterProblem } from './check';
import { chosenQuery, contextOf, type PageState, textKeyOf, unagreedModel } from './page-state';
import { bundledModel, type FindMethod, keyOf, studyOf } from './session';

/** Quiet time after a change before a run starts, and the longest that steady changes may put it off. */
const quietMilliseconds = 60;
const longestWaitMilliseconds = 250;
const rowsRemembered = 64;

export interface RunnerOptions {
  readonly store: StoreApi<PageState>;
  readonly findMethod: FindMethod;
  createClient(events: StudyEvents): StudyClient;
  /** The engine has loaded the model or read the text; parameters may have to follow. */
  onFacts(): void;
}

export interface Runner {
  /** Runs the session's study after a short quiet time, if it is not the one that runs or has run. */
  schedule(): void;
  cancel(): void;
  /** Runs the same study again. */
  rerun(): void;
  readonly tiles: TileSource;
  row(query: number): Promise<QueryRow>;
  /** Whether nothing runs or waits. */
  isQuiet(): boolean;
  dispose(): void;
}

const measuredParts = ['queries', 'layers', 'cost', 'freeRun', 'sweep'] as const;
const nothingMeasured: Measurements = {
  queries: { start: 0, end: 0 },
  layers: [],
  cost: null,
  freeRun: null,
  sweep: null,
};

export function createRunner({ store, findMethod, createClient, onFacts }: RunnerOptions): Runner {
  let timer: ReturnType<typeof setTimeout> | undefined;
  let waitingSince = 0;
  let askedStudy = '';
  let askedRow = '';
  const rows = new Map<string, Promise<QueryRow>>();
  let askedText = '';
  const client = createClient(eventsOf(store, onFacts, () => askedText));

  const start = (): void => {
    timer = undefined;
    const state = store.getState();
    const isAgreed = unagreedModel(state) === null;
    const problem = isAgreed ? problemOf(state, findMethod) : null;
    if (!isAgreed || problem !== null) {
      askedStudy = '';
      const stale = new Set(state.measurements ? measuredParts : []);
      store.setState({ problem, error: null, running: false, progress: null, stale });
      client.cancel();
      return;
    }
    askedStudy = keyOf(studyOf(state.session));
    askedText = textKeyOf(state.session);
    store.setState({
      problem: null,
      error: null,
      running: true,
      progress: { label: 'starting', fraction: 0, expectedSeconds: null },
      stale: new Set(state.measurements ? measuredParts : []),
      staleLayers: new Set(state.measurements?.layers.map(({ layer }) => layer)),
    });
    client.look(state.session.view.layer, state.session.view.head);
    client.run(studyOf(state.session));
  };

  const schedule = (): void => {
    if (keyOf(studyOf(store.getState().session)) === askedStudy) {
      // Changed and changed back before anything started.
      if (timer !== undefined) clearTimeout(timer);
      timer = undefined;
      return;
    }
    const now = Date.now();
    if (timer === undefined) waitingSince = now;
    else clearTimeout(timer);
    const rest = waitingSince + longestWaitMilliseconds - now;
    timer = setTimeout(start, Math.max(0, Math.min(quietMilliseconds, rest)));
  };

  const row = (query: number): Promise<QueryRow> => {
    const { session, pictureVersion } = store.getState();
    const { layer, head } = session.view;
    const key = [layer, head, query, pictureVersion].join();
    const known = rows.get(key);
    if (known) return known;
    const asked = client.row(layer, head, query);
    rows.set(key, asked);
    asked.catch(() => rows.delete(key));
    if (rows.size > rowsRemembered) rows.delete(rows.keys().next().value!);
    return asked;
  };

  const followRow = (state: PageState): void => {
    const query = chosenQuery(state);
    if (query === null || !state.text || state.pictureVersion === 0) return;
    const { layer, head } = state.session.view;
    const key = [layer, head, query, state.pictureVersion].join();
    if (key === askedRow) return;
    askedRow = key;
    row(query).then(
      (result) => {
        if (askedRow === key) store.setState({ row: result });
      },
      // The text is not there yet or was overtaken: selectionReady asks again.
      (error) => {
        if (!isUserError(error)) console.error(error);
      },
    );
  };
  const unsubscribe = store.subscribe((state, before) => {
    const { layer, head } = state.session.view;
    if (layer !== before.session.view.layer || head !== before.session.view.head) client.look(layer, head);
    followRow(state);
  });

  return {
    schedule,
    row,
    tiles: client,
    cancel() {
      clearTimeout(timer);
      timer = undefined;
      askedStudy = '';
      // Before the client says that it is idle: what was cancelled is not finished.
      store.setState({
        running: false,
        progress: null,
        error: 'Cancelled: what had been measured stays. Run again, or change anything.',
      });
      client.cancel();
    },
    rerun() {
      askedStudy = '';
      schedule();
    },
    isQuiet: () => timer === undefined && !store.getState().running,
    dispose() {
      clearTimeout(timer);
      unsubscribe();
      client.dispose();
    },
  };
}

function problemOf(state: PageState, findMethod: FindMethod): string | null {
  const { session } = state;
  // Of another model nothing is known until it is loaded; the engine then checks the parameters.
  if (session.model !== bundledModel && !state.model) return null;
  for (const { id, parameters } of [session.method, ...session.pinned]) {
    const method = findMethod(id);
    if (!method) return `There is no method "${id}"; choose another one.`;
    const problem = parameterProblem(method, parameters, contextOf(state));
    if (problem !== null) return problem;
  }
  return null;
}

function eventsOf(store: StoreApi<PageState>, onFacts: () => void, askedText: () => string): StudyEvents {
  const { setState, getState } = store;
  return {
    backend: (backend) => setState({ backend }),
    model(model) {
      setState({ model });
      onFacts();
    },
    text(text) {
      const textKey = askedText();
      const { pictureVersion, textKey: shown } = getState();
      if (shown !== null && shown !== textKey) {
        setState({
          measurements: null,
          staleLayers: new Set(),
          thumbnails: null,
          row: null,
          recordedMap: null,
          origin: null,
        });
      }
      setState({ text, textKey, pictureVersion: pictureVersion + 1, cell: null });
      onFacts();
    },
    progress: (progress) => setState({ progress }),
    measured(part) {
      const before = getState();
      const measurements = { ...(before.measurements ?? nothingMeasured), ...part };
      const stale = new Set(before.stale);
      for (const name of Object.keys(part) as (keyof Measurements)[]) stale.delete(name);
      if (!part.layers) {
        setState({ measurements, stale });
        return;
      }
      // Layers arrive one after the other where nothing computes them together; until then the earlier ones stay, and are stale.
      const staleLayers = new Set(before.staleLayers);
      for (const { layer } of part.layers) staleLayers.delete(layer);
      const kept = (before.measurements?.layers ?? []).filter(({ layer }) => staleLayers.has(layer));
      const layers = [...part.layers, ...kept].sort((a, b) => a.layer - b.layer);
      if (staleLayers.size > 0) stale.add('layers');
      setState({ measurements: { ...measurements, layers }, stale, staleLayers });
    },
    textRead: () => setState({ pictureVersion: getState().pictureVersion + 1 }),
    selectionReady: () => setState({ pictureVersion: getState().pictureVersion + 1 }),
    assumed: (assumptions) => setState({ assumptions }),
    timing: (timing) => setState({ timing: { ...getState().timing, ...timing } }),
    failed: (sentence) => setState({ error: sentence }),
    idle() {
      const { error, problem, origin, stale, staleLayers } = getState();
      // A run that could not start has ended, too, and has measured nothing.
      const hasRun = problem === null && unagreedModel(getState()) === null;
      const isComplete = hasRun && error === null;
      setState({
        running: false,
        progress: null,
        stale: isComplete ? new Set() : stale,
        staleLayers: isComplete ? new Set() : staleLayers,
        origin: isComplete ? 'live' : origin,
      });
    },
  };
}
