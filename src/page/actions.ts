/** What a person can do to the session. Every action leaves a valid session; `commit` ends a gesture and writes the address. */
import type { StoreApi } from 'zustand/vanilla';
import { fingerprint } from '../base/fingerprint';
import type { Method } from '../methods/method';
import type { MethodSpec } from '../methods/method-spec';
import { givenTables, type Parameters, type ParameterValue } from '../methods/parameters';
import type { Preset } from '../methods/presets';
import { parameterContext } from '../study/context';
import { defaultMethod, type FindMethod } from '../study/default-study';
import { asksQuestion, evictAfterOf, type QueriesStart, queriesAfter, type SourceSpec } from '../study/spec';
import type { Session, View } from './choices';
import { changedNames, fillParameters, followDefaults } from './dependent-defaults';
import { MOST_PINNED } from './limits';
import { type Cell, contextOf, type ModelFormTab, nothingKnown, type PageState } from './state';

export interface Actions {
  setSource(source: SourceSpec): void;
  /** Permission to download the model that the session names. */
  agreeToModel(): void;
  setModel(model: string): void;
  /** The same, with permission: the person has chosen it on this page. */
  openModel(model: string): void;
  showModelForm(tab: ModelFormTab | null): void;
  setMethod(id: string): void;
  /**
   * Parameters that nobody has chosen follow this one where their defaults do. During a drag `isDone` is false, and the address
   * is left alone.
   */
  setParameter(name: string, value: ParameterValue, isDone: boolean): void;
  setParameters(parameters: Parameters, isDone: boolean): void;
  /** All that a preset states at once; where it evicts matters for tasks only, and a first query that was chosen stays. */
  choosePreset(preset: Preset): void;
  pin(method: MethodSpec): void;
  unpin(index: number): void;
  setView(patch: Partial<View>, isDone: boolean): void;
  setQueriesStart(start: QueriesStart): void;
  /** Null: as the tokenizer has it. */
  setStartToken(startToken: boolean | null): void;
  setChatTemplate(isOn: boolean): void;
  point(cell: Cell | null): void;
  notify(sentence: string, isChange?: boolean): void;
  dismiss(notice: number): void;
}

export interface ActionsOptions {
  readonly store: StoreApi<PageState>;
  readonly findMethod: FindMethod;
  changed(isOtherSource: boolean): void;
  commit(): void;
}

let lastNotice = 0;

export function createActions({ store, findMethod, changed, commit }: ActionsOptions): Actions {
  const left = new Map<string, Parameters>();
  /** Which parameters of a set somebody chose; the others follow them. */
  const chosenNames = new WeakMap<Parameters, ReadonlySet<string>>();
  const { getState, setState } = store;
  const context = () => contextOf(getState());
  /** What stays as it is when others are set: what somebody chose, or what differs from its default. */
  const ownNames = (method: Method, parameters: Parameters): ReadonlySet<string> =>
    new Set([...(chosenNames.get(parameters) ?? []), ...changedNames(method, parameters, context())]);
  const withValues = (method: Method, before: Parameters, values: Parameters): Parameters => {
    const own = ownNames(method, before);
    const kept = Object.entries(before).filter(([name]) => own.has(name));
    return fillParameters(method, { ...Object.fromEntries(kept), ...values }, context());
  };
  const setSession = (patch: Partial<Session>, isDone: boolean): void => {
    setState({ session: { ...getState().session, ...patch } });
    changed('source' in patch);
    if (isDone) commit();
  };

  /** How the text becomes tokens: other ones, so that nothing that was looked at is there. */
  const setReading = (patch: Pick<Partial<Session>, 'startToken' | 'chatTemplate'>): void => {
    const { session } = getState();
    const view = { ...session.view, query: null, zoom: null };
    setState({ cell: null });
    setSession({ ...patch, queriesStart: withoutToken(session), view }, true);
  };

  return {
    setSource(source) {
      const { session } = getState();
      const followed = followDefaults(
        session,
        findMethod,
        context(),
        parameterContext(source, getState().model, null),
      );
      const view = { ...session.view, query: null, zoom: null };
      setState({ cell: null });
      const queriesStart = asksQuestion(source) ? withoutToken(session) : null;
      setSession({ ...followed, source, queriesStart, view }, true);
    },
    agreeToModel() {
      const { session, agreedModels } = getState();
      setState({ agreedModels: new Set([...agreedModels, session.model]) });
      changed(false);
    },
    setModel(model) {
      setState(nothingKnown);
      setSession({ model, startToken: null, chatTemplate: undefined }, true);
    },
    openModel(model) {
      setState({ agreedModels: new Set([...getState().agreedModels, model]) });
      if (model === getState().session.model) changed(false);
      else this.setModel(model);
    },
    showModelForm: (modelForm) => setState({ modelForm }),
    setMethod(id) {
      const method = findMethod(id);
      const { session } = getState();
      if (!method || id === session.method.id) return;
      left.set(session.method.id, session.method.parameters);
      const remembered = left.get(id);
      setSession(
        { method: remembered ? { id, parameters: remembered } : defaultMethod(method, context()) },
        true,
      );
    },
    setParameter(name, value, isDone) {
      const { id, parameters: before } = getState().session.method;
      const method = findMethod(id);
      if (!method) return;
      const parameters = withValues(method, before, { [name]: value });
      chosenNames.set(parameters, new Set([...ownNames(method, before), name]));
      setSession({ method: { id, parameters } }, isDone);
    },
    setParameters(parameters, isDone) {
      setSession({ method: { id: getState().session.method.id, parameters } }, isDone);
    },
    choosePreset(preset) {
      const { session } = getState();
      const { id, parameters: before } = session.method;
      const method = findMethod(id);
      if (!method) return;
      const parameters = withValues(method, before, { ...preset.parameters, ...givenTables(before) });
      const chosen = [...ownNames(method, before)].filter((name) => !Object.hasOwn(preset.parameters, name));
      chosenNames.set(parameters, new Set(chosen));
      setSession({ method: { id, parameters }, queriesStart: queriesOfPreset(session, preset) }, true);
    },
    pin(method) {
      const { pinned } = getState().session;
      if (pinned.some((known) => fingerprint(known) === fingerprint(method))) return;
      if (pinned.length < MOST_PINNED) setSession({ pinned: [...pinned, method] }, true);
      else this.notify(`${MOST_PINNED} methods are pinned, the most there can be; unpin one first.`);
    },
    unpin(index) {
      setSession({ pinned: getState().session.pinned.filter((_, at) => at !== index) }, true);
    },
    setView(patch, isDone) {
      setSession({ view: { ...getState().session.view, ...patch } }, isDone);
    },
    setQueriesStart(start) {
      setSession({ queriesStart: start }, true);
    },
    setStartToken: (startToken) => setReading({ startToken }),
    setChatTemplate: (isOn) => setReading({ chatTemplate: isOn || undefined }),
    point(cell) {
      const { cell: before } = getState();
      if (before?.query !== cell?.query || before?.key !== cell?.key) setState({ cell });
    },
    notify(sentence, isChange = false) {
      const { notices } = getState();
      if (notices.some((notice) => notice.sentence === sentence)) return;
      lastNotice += 1;
      setState({ notices: [...notices, { id: lastNotice, sentence, isChange }] });
    },
    dismiss(id) {
      setState({ notices: getState().notices.filter((notice) => notice.id !== id) });
    },
  };
}

type Placed = Pick<Session, 'source' | 'queriesStart'>;

/** Where queries begin once a preset is chosen: in a task where it evicts, unless a first query was chosen. */
function queriesOfPreset({ source, queriesStart }: Placed, { evictAfter }: Preset): QueriesStart {
  const isPlaced = evictAfter !== null && evictAfterOf({ source, queriesStart }) !== null;
  return isPlaced ? queriesAfter(evictAfter) : queriesStart;
}

/** Whether choosing a preset would evict elsewhere. */
export function isPresetElsewhere(choices: Placed, preset: Preset): boolean {
  return queriesOfPreset(choices, preset) !== choices.queriesStart;
}

/** Where queries begin in another text: at no token that was chosen in this one. */
function withoutToken({ queriesStart }: Session): QueriesStart {
  return typeof queriesStart === 'number' ? null : queriesStart;
}
