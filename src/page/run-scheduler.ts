/**
 * Between the store and the engine: starts a run when the study has changed, lets a newer one overtake it, and puts into the
 * store what the engine says.
 */
import type { StoreApi } from 'zustand/vanilla';
import type { ArrivalQuestion } from '../arrival/arrivals';
import { fingerprint } from '../base/fingerprint';
import { isUserError } from '../base/user-error';
import type { QueryRow } from '../measure/results';
import type { Ask, StudyClient, StudyEvents } from '../study/client';
import { BUNDLED_MODEL, type FindMethod } from '../study/default-study';
import { studyOf } from './choices';
import { mapPositions } from './map-positions';
import {
  beginRecord,
  changeRecord,
  type MeasuredRecord,
  recordsOfText,
  withAnswers,
  withPart,
} from './measured';
import { parameterProblem } from './parameter-errors';
import {
  chosenQuery,
  contextOf,
  type PageState,
  questionOf,
  type TextChoice,
  textChoice,
  textKeyOf,
} from './state';

/** Quiet time after a change before a run starts, and the longest that steady changes may put it off. */
const QUIET_MILLISECONDS = 60;
const LONGEST_WAIT_MILLISECONDS = 250;
const ROWS_REMEMBERED = 64;

export interface RunSchedulerOptions {
  /** Of this program: stands with everything that it measures. */
  readonly version: string;
  readonly store: StoreApi<PageState>;
  readonly findMethod: FindMethod;
  createClient(events: StudyEvents): StudyClient;
  /** The engine has loaded the model or read the text; parameters may have to follow. */
  onFacts(): void;
}

export interface RunScheduler {
  /** Runs the session's study after a short quiet time, if it is not the one that runs or has run. */
  schedule(): void;
  cancel(): void;
  /** Measures the time of the study that is shown, however long that takes. One that was cancelled or has failed is run again first. */
  measureTime(): void;
  /** Runs the answers of all curves that are not known, as measureTime. */
  answerSweep(): void;
  /** Runs the same study again. */
  rerun(): void;
  /** The person has agreed to what the engine asked. */
  agree(question: ArrivalQuestion): void;
  readonly bring: StudyClient['bring'];
  readonly give: StudyClient['give'];
  readonly ask: Ask;
  row(query: number): Promise<QueryRow>;
  /** Whether nothing runs or waits. */
  isQuiet(): boolean;
  dispose(): void;
}

export function createRunScheduler({
  store,
  version,
  findMethod,
  createClient,
  onFacts,
}: RunSchedulerOptions): RunScheduler {
  let timer: ReturnType<typeof setTimeout> | undefined;
  let waitingSince = 0;
  let askedStudy = '';
  let askedRow = '';
  const rows = new Map<string, Promise<QueryRow>>();
  let askedText: TextChoice = textChoice(store.getState().session);
  const client = createClient(eventsOf(store, onFacts, () => askedText));

  const start = (): void => {
    timer = undefined;
    const state = store.getState();
    const isAgreed = questionOf(state) === null;
    const problem = isAgreed ? problemOf(state, findMethod) : null;
    if (!isAgreed || problem !== null) {
      askedStudy = '';
      store.setState({ problem, error: null, running: false, progress: null });
      client.cancel();
      return;
    }
    askedStudy = fingerprint(studyOf(state.session));
    askedText = textChoice(state.session);
    store.setState({
      problem: null,
      error: null,
      running: true,
      progress: { label: 'starting', fraction: 0, expectedSeconds: null },
      records: beginRecord(state.records, state.session, version),
    });
    client.look(state.session.view.layer, state.session.view.head);
    client.run(studyOf(state.session));
  };

  const schedule = (): void => {
    if (fingerprint(studyOf(store.getState().session)) === askedStudy) {
      // Changed and changed back before anything started.
      if (timer !== undefined) clearTimeout(timer);
      timer = undefined;
      return;
    }
    const now = Date.now();
    if (timer === undefined) waitingSince = now;
    else clearTimeout(timer);
    const rest = waitingSince + LONGEST_WAIT_MILLISECONDS - now;
    timer = setTimeout(start, Math.max(0, Math.min(QUIET_MILLISECONDS, rest)));
  };

  const rerun = (): void => {
    askedStudy = '';
    schedule();
  };

  /** What a row depends on: where it lies, whose positions it is under, and the picture that it is of. */
  const rowChoice = (state: PageState, query: number) => {
    const { layer, head } = state.session.view;
    const { whose, key: positions } = mapPositions(state, findMethod);
    const key = [layer, head, query, state.pictureVersion, whose, positions].join();
    return { layer, head, query, whose, positions, key };
  };
  type RowChoice = ReturnType<typeof rowChoice>;

  const row = (query: number): Promise<QueryRow> => rowOf(rowChoice(store.getState(), query));

  const rowOf = ({ layer, head, query, whose, positions, key }: RowChoice): Promise<QueryRow> => {
    const known = rows.get(key);
    if (known) return known;
    const asked = client
      .ask('row', { layer, head, query, positions })
      .then((found): QueryRow => (whose === 'cache' ? { ...found, positions: whose } : found));
    rows.set(key, asked);
    asked.catch(() => rows.delete(key));
    if (rows.size > ROWS_REMEMBERED) rows.delete(rows.keys().next().value!);
    return asked;
  };

  const followRow = (state: PageState): void => {
    const query = chosenQuery(state);
    if (query === null || !state.text || state.pictureVersion === 0) return;
    const choice = rowChoice(state, query);
    const { key } = choice;
    if (key === askedRow) return;
    askedRow = key;
    rowOf(choice).then(
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
    ask: client.ask,
    bring: (selection) => client.bring(selection),
    give: (model, files) => client.give(model, files),
    cancel() {
      clearTimeout(timer);
      timer = undefined;
      askedStudy = '';
      // Before the client says that it is idle: what was cancelled is not finished.
      const isMeasured = store.getState().records.some(({ measurements }) => measurements !== null);
      const left = isMeasured ? 'what had been measured stays' : 'nothing had been measured';
      store.setState({
        running: false,
        progress: null,
        error: `Cancelled: ${left}. Run again, or change anything.`,
      });
      client.cancel();
    },
    measureTime() {
      if (store.getState().running) return;
      store.setState({ running: true });
      if (!client.measureTime()) rerun();
    },
    answerSweep() {
      const { method, pinned } = store.getState().session;
      if (!client.answer([method, ...pinned])) rerun();
    },
    rerun,
    agree(question) {
      client.agree(question);
      store.setState({ asked: null });
      rerun();
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
  if (session.model !== BUNDLED_MODEL && !state.model) return null;
  for (const { id, parameters } of [session.method, ...session.pinned]) {
    const method = findMethod(id);
    if (!method) return `There is no method "${id}"; choose another one.`;
    const problem = parameterProblem(method, parameters, contextOf(state));
    if (problem !== null) return problem;
  }
  return null;
}

function eventsOf(store: StoreApi<PageState>, onFacts: () => void, askedText: () => TextChoice): StudyEvents {
  const { setState, getState } = store;
  /** What the engine said last: it says so at every run, and what is there already changes nothing. */
  let received: Pick<PageState, 'model' | 'text'> = { model: null, text: null };
  const isSame = <Facts>(shown: Facts | null, last: Facts | null) => last !== null && shown === last;
  /** Of the current run: a run that was overtaken is not heard any more. */
  const change = (of: (record: MeasuredRecord) => Partial<MeasuredRecord>): void =>
    setState({ records: changeRecord(getState().records, of) });
  return {
    backend: (backend) => setState({ backend }),
    model(model) {
      if (isSame(getState().model, received.model) && fingerprint(model) === fingerprint(received.model))
        return;
      received = { model, text: null };
      setState({ model });
      onFacts();
    },
    text(text) {
      const textOf = askedText();
      const textKey = textKeyOf(textOf);
      const { pictureVersion, records, textKey: shown } = getState();
      if (isSame(getState().text, received.text) && shown === textKey) return;
      received = { ...received, text };
      if (shown !== null && shown !== textKey) {
        setState({
          records: recordsOfText(records),
          thumbnails: null,
          row: null,
          snapshotMap: null,
        });
      }
      setState({ text, textKey, textOf, pictureVersion: pictureVersion + 1, cell: null });
      onFacts();
    },
    progress: (progress) => setState({ progress }),
    measured(part) {
      const { model } = getState();
      const modelDigest = model?.digest ?? null;
      change((record) => ({
        by: record.by.modelDigest === modelDigest ? record.by : { ...record.by, modelDigest },
        layerCount: model?.layers ?? 0,
        measurements: withPart(record, part),
      }));
    },
    textRead: () => setState({ pictureVersion: getState().pictureVersion + 1 }),
    selectionReady: () => setState({ pictureVersion: getState().pictureVersion + 1 }),
    assumed: (assumptions) => change(() => ({ assumptions })),
    timed(time) {
      change(({ measurements }) => ({
        measurements: measurements?.freeRun
          ? { ...measurements, freeRun: { ...measurements.freeRun, time } }
          : measurements,
      }));
    },
    answered(answers) {
      const { done, total } = answers;
      setState({ answering: done < total ? { done, total } : null });
      change(({ measurements }) => ({ measurements: measurements && withAnswers(measurements, answers) }));
    },
    answersEnded: () => setState({ answering: null }),
    timing: (timing) => change((record) => ({ timing: { ...record.timing, ...timing } })),
    restarted() {
      change(() => ({ isComplete: false }));
      const progress = { label: 'starting again', fraction: 0, expectedSeconds: null };
      setState({ error: null, running: true, progress });
    },
    asks: (asked) => setState({ asked }),
    failed: (sentence) => setState({ error: sentence }),
    idle() {
      const { error, problem } = getState();
      // A run that could not start has ended, too, and has measured nothing.
      const hasRun = problem === null && questionOf(getState()) === null;
      if (hasRun && error === null) change(() => ({ isComplete: true }));
      setState({ running: false, progress: null });
    },
  };
}
