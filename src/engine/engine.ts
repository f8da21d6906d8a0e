/**
 * Runs studies on one backend: model → text → full attention → probe run, free run, sweep, pictures. What a new study shares
 * with the one before is kept: the model, the text's full attention, the curves of pinned methods.
 */

import { DeviceError } from '../../gpu/device-error';
import type { Ops } from '../../gpu/ops';
import { fingerprint } from '../base/fingerprint';
import { isUserError, UserError } from '../base/user-error';
import { noRecallReason } from '../measure/made-cache';
import type { QueryRow } from '../measure/results';
import { needsHidden, readsTrace } from '../methods/method';
import type { ParameterContext } from '../methods/parameters';
import { checkMeasured, checkMethodStates } from '../model/decoder/check-finite';
import type { ModelHead } from '../model/load';
import { openChatTemplate } from '../model/tokenizer/chat-template';
import type { ModelNeed, ModelNeedRequest } from '../study/client';
import type { StudySpec } from '../study/spec';
import { textKey } from '../study/spec';
import type { AttentionReply, AttentionRequest, CoverageReply, CoverageRequest } from '../tiles/requests';
import { compareRuns } from './compare-runs';
import type { StudyEnvironment } from './environment';
import type { EngineRun, FullRun, Part } from './events';
import { continuationOf, type Generation, generate } from './generation';
import { fitsMemory, type MemoryPlan, planMemory } from './memory/plan';
import type { OpenModel } from './open-model';
import { openModel } from './open-model';
import { OpenText } from './open-text';
import { Clock, progressOf } from './progress';
import {
  type Imported,
  parameterContext,
  type ResolvedMethod,
  resolve,
  resolvedOrFull,
  studyContext,
} from './resolve';
import type { StudyText } from './source';
import { buildText } from './source';
import { SweepAnswers } from './sweep-answers';
import { TIME_BUDGET_MILLISECONDS } from './time-pairs';

export class Engine {
  readonly #ops: Ops;
  readonly #environment: StudyEnvironment;
  readonly #imported: Imported;
  readonly #tryDevice: ((ops: Ops) => Promise<string | null>) | null;
  #tried: Promise<string | null> | null = null;
  #model: { readonly name: string; readonly open: OpenModel } | null = null;
  #text: { readonly key: string; readonly text: StudyText } | null = null;
  /** The text of a model that is still being loaded, made to plan with it. */
  #draft: { readonly key: string; readonly text: StudyText } | null = null;
  #probe: OpenText | null = null;
  /** The text that `textRead` was emitted for. */
  #announced: OpenText | null = null;
  readonly #answers = new SweepAnswers();
  #pinned: { readonly key: string; readonly resolved: readonly ResolvedMethod[] } = { key: '', resolved: [] };
  #visible = { layer: 0, head: 0 };

  /**
   * `tryDevice`: tries what measuring needs of a device before its first use; a clause says what is wrong with it. `imported` may grow.
   */
  constructor(
    ops: Ops,
    environment: StudyEnvironment,
    tryDevice: ((ops: Ops) => Promise<string | null>) | null = null,
    imported: Imported = new Map(),
  ) {
    this.#imported = imported;
    this.#ops = ops;
    this.#environment = environment;
    this.#tryDevice = tryDevice;
  }

  /** Runs the parts of a study that are asked for. Throws UserError, or the signal's reason when it was cancelled. */
  async run(asked: EngineRun): Promise<void> {
    const emit: EngineRun['emit'] = (event) => {
      if (event.name === 'measured') checkMeasured(event.value);
      asked.emit(event);
    };
    const run: EngineRun = { ...asked, emit };
    const { spec, parts, signal } = run;
    if (parts.includes('time')) return this.#measureTime(run);
    if (parts.includes('answers')) return this.#answer(run);
    const clock = new Clock(emit);
    // While files come and weights are read, the device has time for it.
    this.#tried ??= this.#tryDevice?.(this.#ops) ?? null;
    this.#tried?.catch(() => {});
    const open = await clock.measure('load', () => this.#openModel(run));
    signal.throwIfAborted();
    emit({ name: 'progress', value: { label: 'preparing the text', fraction: 0, expectedSeconds: null } });
    const text = await this.#openText(spec, open);
    const doesProbe = parts.includes('probe');
    if (doesProbe) {
      emit({ name: 'model', value: open.facts });
      const notices = [...open.notices, ...text.facts.notices];
      emit({ name: 'text', value: { ...text.facts, notices } });
    }
    signal.throwIfAborted();
    const context = studyContext(spec, open, text);
    const resolved = resolve(spec.method, context, this.#imported);
    const pinned = doesProbe ? this.#pinnedOf(spec, context) : [];
    const plan = this.#plan(open, text, resolved, parts, pinned);

    let full = run.full;
    if (doesProbe) {
      const probe = await clock.measure('fullAttention', () => this.#openProbe(open, text, run, plan));
      await this.#trust();
      signal.throwIfAborted();
      full = Promise.resolve(probe.full);
      run.onFull(probe.full);
      if (probe !== this.#announced) emit({ name: 'textRead', value: undefined });
      this.#announced = probe;
      void this.#ops.warmUp('measuring');
      await probe.measure({ resolved, pinned, context, visible: () => this.#visible, signal, emit, clock });
    }
    if (parts.includes('free')) {
      if (!full) throw new Error('a free run needs the result of full attention');
      await clock.measure('freeRun', () => this.#freeRun(open, text, resolved, full, run, plan));
    }
  }

  /** The pinned methods, checked once for as long as they stay. */
  #pinnedOf({ pinned }: StudySpec, context: ParameterContext): readonly ResolvedMethod[] {
    const key = fingerprint([pinned, context]);
    if (this.#pinned.key !== key)
      this.#pinned = { key, resolved: pinned.map((entry) => resolve(entry, context, this.#imported)) };
    return this.#pinned.resolved;
  }

  /** Times the study's method on the text that is open. */
  async #measureTime(run: EngineRun): Promise<void> {
    const { signal, emit, timeUnlimited } = run;
    const text = textKey(run.spec);
    const { resolved, context } = await this.#reopen(run);
    emit({ name: 'progress', value: { label: 'measuring time', fraction: 0, expectedSeconds: null } });
    const budget = timeUnlimited ? null : TIME_BUDGET_MILLISECONDS;
    const measure = () => this.#openedProbe(text).time(resolved, context, budget, signal);
    // Somebody who has asked for it is told why there is none.
    const time = timeUnlimited ? await measure() : await unlessRefused(measure);
    signal.throwIfAborted();
    emit({ name: 'timed', value: time });
  }

  /** Runs the answers of curves, as far as they are not known. */
  async #answer(run: EngineRun): Promise<void> {
    const { spec, signal, emit, answersOf = [] } = run;
    const { open, text, context } = await this.#reopen(run);
    if (text.facts.answerStart === null) return;
    const isRight = async (method: ResolvedMethod): Promise<boolean> => {
      const plan = this.#plan(open, text, method, ['free']);
      // Its progress is reported with the answers.
      const reading = await this.#read(open, text, method, { ...run, emit: () => {} }, plan, false);
      return text.judge(reading.generated ?? []).right;
    };
    await this.#answers.run({
      text: textKey(spec),
      methods: answersOf.map((asked) => resolve(asked, context, this.#imported)),
      others: [spec.method, ...spec.pinned].map((other) => resolve(other, context, this.#imported)),
      context: { ...context, tokens: text.ids.length },
      places: { evictAt: text.facts.queries.start, answerStart: text.facts.answerStart },
      isRight: (method) => unlessRefused(() => isRight(method)),
      onCurve: (value) => emit({ name: 'answered', value }),
      signal,
    });
  }

  /** The open model and text of a study that was run before; opens what is not open. */
  async #reopen(run: EngineRun) {
    const { spec } = run;
    const open = await this.#openModel({ ...run, emit: () => {} });
    const text = await this.#openText(spec, open);
    const context = studyContext(spec, open, text);
    return { open, text, context, resolved: resolve(spec.method, context, this.#imported) };
  }

  /** Throws DeviceError where the device does not compute what the CPU does. */
  async #trust(): Promise<void> {
    const difference = await this.#tried;
    if (difference !== null) {
      throw new DeviceError(`WebGPU on ${this.#ops.description} failed its self-test: ${difference}`);
    }
  }

  /** Which layer and head should come first, in this run and the next. */
  look(layer: number, head: number): void {
    this.#visible = { layer, head };
  }

  /** Attention of tiles. Throws UserError when their text is not the one that is read, or the tiles do not fit it. */
  attention(request: AttentionRequest, signal: AbortSignal): Promise<AttentionReply> {
    return this.#openedProbe(request.text).attention(request, signal);
  }

  /** What the method keeps of tiles, null where that is not known yet. Throws as `attention` does. */
  coverage(request: CoverageRequest, signal: AbortSignal): Promise<CoverageReply> {
    return this.#openedProbe(request.text).coverage(request, signal);
  }

  /** `positions` as in an AttentionRequest. */
  row(layer: number, head: number, query: number, positions: string | null = null): Promise<QueryRow> {
    return this.#openedProbe().row(layer, head, query, positions);
  }

  /** What models would need, by their configs alone. */
  async needs(request: ModelNeedRequest): Promise<readonly (ModelNeed | string)[]> {
    const { modelNeeds } = await import('./model-need');
    return modelNeeds(request, this.#ops, this.#imported);
  }

  #openedProbe(text = this.#text?.key): OpenText {
    if (!this.#probe || text !== this.#text?.key)
      throw new UserError('The text is not read yet; the picture follows as soon as it is.');
    return this.#probe;
  }

  async #openModel(run: EngineRun): Promise<OpenModel> {
    const { spec, parts, emit } = run;
    const { model: name } = spec;
    if (this.#model?.name === name) return this.#model.open;
    const folder = this.#environment.modelFolder(name);
    const report = (fraction: number): void =>
      emit({ name: 'progress', value: { label: `loading ${folder.name}`, fraction, expectedSeconds: null } });
    report(0);
    const open = await openModel(this.#ops, folder, {
      onProgress: report,
      makeRoom: () => this.#closeModel(),
      beforeWeights: (head) => this.#checkLength(spec, head, parts),
      signal: run.loading ?? run.signal,
    });
    this.#closeModel();
    this.#model = { name, open };
    return open;
  }

  /** Refuses a text that the device has no room for before the weights are fetched. */
  async #checkLength(spec: StudySpec, head: ModelHead, parts: readonly Part[]): Promise<void> {
    const text = await this.#buildText(spec, head);
    this.#draft = { key: textKey(spec), text };
    const tokens = spec.source.kind === 'task' ? spec.source.tokens : text.ids.length;
    this.#plan(
      head,
      text,
      resolvedOrFull(spec.method, parameterContext(head, tokens), this.#imported),
      parts,
    );
  }

  #closeModel(): void {
    this.#closeProbe();
    this.#model?.open.decoder.release();
    this.#model = null;
    this.#text = null;
  }

  /** Throws UserError for a study that the device has no room for. */
  #plan(
    open: Pick<ModelHead, 'config' | 'calibration'>,
    text: StudyText,
    { method, parameters }: ResolvedMethod,
    parts: readonly Part[],
    pinned: readonly ResolvedMethod[] = [],
  ): MemoryPlan {
    const { queries, answerStart } = text.facts;
    const readsText = readsTrace(method, parameters, open.calibration);
    const request = {
      ...{ method, parameters, answerStart, config: open.config, limits: this.#ops.memoryLimits },
      tokens: text.ids.length,
      queriesStart: queries.start,
      continuation: continuationOf(open, text),
      parts: readsText ? (['probe', 'free'] as const) : parts,
    };
    const wanted = [{ method, parameters }, ...pinned].some((of) => needsHidden(of.method, of.parameters));
    // What an open text has recorded stays as long as there is room for it.
    const isKept = this.#probe?.hasHidden && fitsMemory({ ...request, recordsHidden: true });
    return planMemory({ ...request, recordsHidden: wanted || Boolean(isKept) });
  }

  async #openText(spec: StudySpec, open: OpenModel): Promise<StudyText> {
    const key = textKey(spec);
    if (this.#text?.key === key) return this.#text.text;
    const draft = this.#draft;
    this.#draft = null;
    const text = draft?.key === key ? draft.text : await this.#buildText(spec, open);
    this.#text = { key, text };
    this.#closeProbe();
    return text;
  }

  async #buildText(
    spec: StudySpec,
    head: Pick<ModelHead, 'tokenizer' | 'noTokenizer' | 'chatTemplate' | 'config'>,
  ): Promise<StudyText> {
    const { tokenizer, noTokenizer, config } = head;
    if (!tokenizer) throw new UserError(noTokenizer);
    const chat = spec.chatTemplate ? await openChatTemplate(head.chatTemplate) : null;
    return buildText(spec, tokenizer, config, await this.#environment.sampleTexts(), { chat });
  }

  async #openProbe(open: OpenModel, text: StudyText, run: EngineRun, plan: MemoryPlan): Promise<OpenText> {
    const onProgress = progressOf(run.emit, 'full attention', text.ids.length);
    await this.#ops.warmUp('reading');
    // While a GPU reads, there are threads to compile for what comes next; software reads with all of them.
    if (!this.#ops.isSoftware) {
      void this.#ops.warmUp('measuring');
      void this.#ops.warmUp('study');
    }
    if (this.#probe && this.#probe.hasHidden !== plan.recordsHidden) this.#closeProbe();
    this.#probe ??= await OpenText.open(open, text, plan, run.signal, onProgress);
    return this.#probe;
  }

  #closeProbe(): void {
    this.#probe?.release();
    this.#probe = null;
    this.#announced = null;
  }

  async #freeRun(
    open: OpenModel,
    text: StudyText,
    resolved: ResolvedMethod,
    full: Promise<FullRun>,
    run: EngineRun,
    plan: MemoryPlan,
  ): Promise<void> {
    const { spec, signal, emit } = run;
    const isCounted = noRecallReason(resolved.method, resolved.parameters) === null;
    const reading = await this.#read(open, text, resolved, run, plan, isCounted);
    const reference = await full;
    signal.throwIfAborted();
    const freeRun = await compareRuns(open.decoder, text, reference, reading, signal);
    if (freeRun.answer) this.#answers.note(textKey(spec), resolved, freeRun.answer.right);
    emit({ name: 'measured', value: { freeRun } });
  }

  /** Reads the text with a method in every layer, as planned. */
  async #read(
    open: OpenModel,
    text: StudyText,
    { method, parameters }: ResolvedMethod,
    run: EngineRun,
    plan: MemoryPlan,
    keepSelections: boolean,
  ): Promise<Omit<Generation, 'session'>> {
    const { answerStart, queries } = text.facts;
    // A worker that has only the free run then reads the text with full attention too.
    const probe = readsTrace(method, parameters, open.calibration)
      ? await this.#openProbe(open, text, run, plan)
      : this.#probe;
    const { session, ...reading } = await generate({
      decoder: open.decoder,
      method,
      parameters,
      calibration: open.calibration,
      layerTraces: probe?.text.layerTraces ?? null,
      rereading: probe?.text.rereading ?? null,
      ids: text.ids,
      answerStart,
      queriesStart: queries.start,
      continuation: continuationOf(open, text),
      keepQueries: false,
      keepSelections,
      rotatedLayers: plan.rotatedLayers.free,
      isAnswerComplete: (generated) => text.isAnswerComplete(generated),
      signal: run.signal,
      onProgress: progressOf(run.emit, method.title, text.ids.length),
    });
    session.release();
    checkMethodStates(reading.queryStates, method.title);
    return reading;
  }
}

/** Null where the device has no room, or what is needed is not open: what nobody has asked for fails in silence. */
async function unlessRefused<T>(work: () => Promise<T>): Promise<T | null> {
  try {
    return await work();
  } catch (error) {
    if (isUserError(error)) return null;
    throw error;
  }
}
