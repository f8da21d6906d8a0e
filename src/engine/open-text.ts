/**
 * One text as full attention saw it, and everything measured on it: probe run, sweep, pictures, rows. Lives as long as the text is
 * open; a new method or parameter only measures anew.
 */

import { UserError } from '../base/user-error';
import { measureCost } from '../measure/cost';
import { explainRow } from '../measure/explain-row';
import { measureLayers } from '../measure/measure-layers';
import { Memo } from '../measure/memo';
import type { LayerMeasurement, QueryRow, SweepCurve } from '../measure/results';
import type { BlockSelection } from '../measure/select-all';
import { selectAll } from '../measure/select-all';
import { SWEEP_FRACTIONS, sweep } from '../measure/sweep';
import { sweptNotice } from '../measure/swept-queries';
import { contextOf } from '../measure/trace-run';
import { FULL_AS_TRAINED, full } from '../methods/full';
import { isFullAttention, methodKey, ownPositionsOf } from '../methods/method-spec';
import type { ParameterContext } from '../methods/parameters';
import { checkFinite } from '../model/decoder/check-finite';
import type { TimeMeasurement } from '../study/results';
import { attentionOfTiles, checkWork } from '../tiles/attention';
import { coverageOfTile } from '../tiles/coverage';
import { FirstWeights } from '../tiles/factors';
import { linesOf } from '../tiles/grid';
import { OwnPositions } from '../tiles/own-positions';
import type { AttentionReply, AttentionRequest, CoverageReply, CoverageRequest } from '../tiles/requests';
import type { OwnedTrace } from '../trace/from-decoder';
import { traceOfSession } from '../trace/from-decoder';
import { textRead } from '../trace/rereading';
import { type LayerTrace, layersOfMethods, windowsOf } from '../trace/trace';
import type { EngineRun, FullRun } from './events';
import { continuationOf, generate } from './generation';
import type { MemoryPlan } from './memory/plan';
import type { OpenModel } from './open-model';
import type { Clock } from './progress';
import type { ResolvedMethod } from './resolve';
import type { StudyText } from './source';
import { timePairs } from './time-pairs';

/** What is measured in one run. */
export interface MeasureWork {
  readonly resolved: ResolvedMethod;
  readonly pinned: readonly ResolvedMethod[];
  readonly context: ParameterContext;
  readonly visible: () => { readonly layer: number; readonly head: number };
  readonly signal: AbortSignal;
  readonly emit: EngineRun['emit'];
  readonly clock: Clock;
}

/** How long a measurement waits for the picture to be asked for: what a page needs to hear that it can be. */
const PICTURE_MILLISECONDS = 200;

export class OpenText {
  readonly text: OwnedTrace;
  readonly full: FullRun;
  readonly #open: OpenModel;
  readonly #study: StudyText;
  /** What measurements share while the text is open. */
  readonly #memo = new Memo();
  /** Sweep curves by what they depend on: a pinned method is measured once, and none again for another budget. */
  readonly #curves = new Map<string, SweepCurve>();
  readonly #curveKeys = new Map<string, string>();
  readonly #firstWeights: FirstWeights;
  #own: { readonly key: string; readonly positions: OwnPositions } | null = null;
  #current: ResolvedMethod | null = null;
  /** The current method's blocks by layer, made when a picture needs them. */
  #selections = new Map<number, Promise<readonly BlockSelection[]>>();
  /** Whether anybody has asked for the map, and who waits until it was made. */
  #isLookedAt = false;
  #onPicture = (): void => {};
  #isDrawn: Promise<void> | null = null;
  #pictureTimer: ReturnType<typeof setTimeout> | undefined;

  constructor(open: OpenModel, study: StudyText, text: OwnedTrace, fullRun: FullRun) {
    this.#open = open;
    this.#study = study;
    this.text = text;
    this.full = fullRun;
    this.#firstWeights = new FirstWeights(text);
  }

  /** Reads the text with full attention, as planned. Throws UserError, or the signal's reason. */
  static async open(
    open: OpenModel,
    study: StudyText,
    { rotatedLayers, recordsHidden }: MemoryPlan,
    signal: AbortSignal,
    onProgress: (tokens: number) => void,
  ): Promise<OpenText> {
    const { answerStart, queries } = study.facts;
    const generation = await generate({
      decoder: open.decoder,
      method: full,
      parameters: FULL_AS_TRAINED,
      calibration: null,
      layerTraces: null,
      ids: study.ids,
      answerStart,
      queriesStart: queries.start,
      continuation: continuationOf(open, study),
      keepQueries: true,
      keepHidden: recordsHidden,
      rotatedLayers: rotatedLayers.full,
      isAnswerComplete: (generated) => study.isAnswerComplete(generated),
      signal,
      onProgress,
    });
    const { session } = generation;
    try {
      await checkFinite(open.decoder.ops, session.caches, study.ids.length, generation.queryStates);
    } catch (error) {
      session.release();
      throw error;
    }
    const text = traceOfSession(open.decoder, session, {
      tokens: study.ids.length,
      answerStart,
      calibration: open.calibration,
      read: textRead(study.ids, open.tokenizer),
    });
    const { queryStates, generated } = generation;
    return new OpenText(open, study, text, { queryStates, generated });
  }

  /** Whether hidden states were recorded. */
  get hasHidden(): boolean {
    return this.text.layerTraces.every(({ hidden }) => hidden !== null);
  }

  release(): void {
    this.#current = null;
    this.#selections.clear();
    this.#own?.positions.dispose();
    this.#memo.close();
    this.#firstWeights.close();
    this.text.release();
  }

  /** Measures a method: cost, recall of every layer, pictures, then the sweep. */
  async measure(work: MeasureWork): Promise<void> {
    const { resolved, context, signal, emit, clock, visible } = work;
    const { method, parameters } = resolved;
    const { queries } = this.#study.facts;
    this.#current = resolved;
    this.#selections = new Map();
    await this.#selectionOf(visible().layer, signal);
    this.#awaitPicture();
    emit({ name: 'selectionReady', value: undefined });
    await this.#isDrawn;
    signal.throwIfAborted();
    const cost = measureCost({
      method,
      parameters,
      context: { ...context, tokens: this.text.tokens },
      queries,
      answerStart: this.text.answerStart,
      weightOperations: this.#open.weightOperations,
      windows: windowsOf(this.text),
    });
    emit({ name: 'measured', value: { queries, cost } });
    await clock.measure('probe', async () => {
      const layers: LayerMeasurement[] = [];
      let assumptions: readonly string[] = [];
      const all = await measureLayers({
        text: this.text,
        method,
        parameters,
        queries,
        firstLayer: visible().layer,
        memo: this.#memo,
        signal,
        onNotices: (sentences) => {
          assumptions = sentences;
        },
        onLayer: (layer) => {
          layers.push(layer);
          layers.sort((a, b) => a.layer - b.layer);
          emit({ name: 'measured', value: { layers: [...layers] } });
          this.#report(emit, 'measuring', layers.length);
        },
      });
      emit({ name: 'measured', value: { layers: all } });
      const ofSweep = sweptNotice(queries, this.text.answerStart);
      emit({ name: 'assumed', value: ofSweep ? [...assumptions, ofSweep] : assumptions });
    });
    await clock.measure('sweep', () => this.#sweep(work));
  }

  /** Times the prompt's attention; null where that would take too long, or compare full attention with itself. */
  async time(
    { method, parameters }: ResolvedMethod,
    context: ParameterContext,
    budgetMilliseconds: number | null,
    signal: AbortSignal,
  ): Promise<TimeMeasurement | null> {
    const { queries, answerStart } = this.#study.facts;
    // Over keys and values that were made anew it is full attention's step once more.
    const layers = layersOfMethods(this.text.layerTraces).map(({ layer }) => layer);
    const isSame = isFullAttention(method, parameters) || method.traits(parameters).cache === 'transformed';
    if (isSame || layers.length === 0) return null;
    const evictAt = queries.start;
    const timed = await timePairs({
      ...{ text: this.text, method, parameters, evictAt, budgetMilliseconds, signal },
    });
    const prompt = { start: 0, end: answerStart ?? this.text.tokens };
    const evicts = method.traits(parameters).decides === 'once' && evictAt < prompt.end;
    const cost = measureCost({
      ...{ method, parameters, evictAt, answerStart, queries: prompt, weightOperations: 0 },
      layers,
      context: { ...context, tokens: this.text.tokens },
    });
    return (
      timed && {
        ...timed,
        operations: {
          full: prompt.end * cost.fullAttentionOperations,
          method:
            prompt.end * (cost.selectionOperations + cost.attentionOperations) +
            (evicts ? cost.onceOperations : 0),
        },
      }
    );
  }

  async attention({ work, positions }: AttentionRequest, signal: AbortSignal): Promise<AttentionReply> {
    for (const piece of work) checkWork(this.text, piece);
    if (!positions) return attentionOfTiles(this.text, work, signal, this.#firstWeights);
    // A layer that sees a window by itself has the model's positions with every method.
    const windows = windowsOf(this.text);
    const [asModel, asRun] = [true, false].map((has) =>
      work.filter(({ layer }) => windows.has(layer) === has),
    );
    const ofRun = await this.#ownPositions(positions).attention(asRun!, signal);
    if (asModel!.length === 0) return ofRun;
    const ofModel = await attentionOfTiles(this.text, asModel!, signal, this.#firstWeights);
    const [linesOfRun, linesOfModel] = [[...ofRun.lines], [...ofModel.lines]];
    return {
      lines: work.map(({ layer }) => (windows.has(layer) ? linesOfModel : linesOfRun).shift()!),
      milliseconds: ofRun.milliseconds + ofModel.milliseconds,
    };
  }

  /** Whoever has looked at the map looks at it now: on one thread its picture comes before measurements. */
  #awaitPicture(): void {
    if (!this.#isLookedAt || this.text.ops.backend !== 'cpu') return;
    this.#isDrawn = new Promise((resolve) => {
      this.#onPicture = resolve;
      this.#pictureTimer = setTimeout(resolve, PICTURE_MILLISECONDS);
    });
  }

  /** The current method's own positions. Throws UserError when those asked for are of another one. */
  #ownPositions(key: string): OwnPositions {
    const { method, parameters } = this.#method();
    if (ownPositionsOf(method, parameters) !== key) {
      throw new UserError('Another method is being run; the picture follows.');
    }
    if (this.#own?.key !== key) {
      this.#own?.positions.dispose();
      const positions = new OwnPositions(this.text, method, parameters, this.#study.facts.queries.start);
      this.#own = { key, positions };
    }
    return this.#own.positions;
  }

  /**
   * A layer that has no selection yet gets it now, whether or not a run is in progress. Null where the method is not the current one:
   * `measure` tells when it is.
   */
  async coverage({ method, tiles }: CoverageRequest, signal: AbortSignal): Promise<CoverageReply> {
    const { ops, tokens, queryHeads } = this.text;
    const kept: (Float32Array | null)[] = [];
    this.#isLookedAt = true;
    const isCurrent = this.#isCurrent(method);
    const onPicture = this.#onPicture;
    // It is asked for: what waits for it waits until it is there.
    if (isCurrent) clearTimeout(this.#pictureTimer);
    try {
      for (const tile of tiles) {
        this.#layer(tile.layer);
        if (!(tile.head >= 0 && tile.head < queryHeads && linesOf(tile, tokens) > 0)) {
          throw new UserError(
            'This part of the map does not exist for the open text; zoom out and try again.',
          );
        }
        const selection = await this.#selectionUnder(method, tile.layer);
        kept.push(selection ? coverageOfTile(tile, tokens, selection, tile.head, queryHeads) : null);
        await ops.pace();
        signal.throwIfAborted();
      }
    } finally {
      // After the answer, which would wait for the measurement otherwise.
      if (isCurrent) setTimeout(onPicture);
    }
    return { kept };
  }

  /** Null: another method is the current one, or has become it meanwhile. */
  async #selectionUnder(method: string, layer: number): Promise<readonly BlockSelection[] | null> {
    if (!this.#isCurrent(method)) return null;
    // One that a run has begun ends with it when that is cancelled: then once more.
    const begun = await this.#selections.get(layer)?.catch(() => null);
    if (!this.#isCurrent(method)) return null;
    const selection = begun ?? (await this.#selectionOf(layer).catch(() => null));
    return this.#isCurrent(method) ? selection : null;
  }

  #isCurrent(method: string): boolean {
    return this.#current !== null && methodKey(this.#current.spec) === method;
  }

  async row(layer: number, head: number, query: number, own: string | null): Promise<QueryRow> {
    this.#layer(layer);
    const { queryHeads, tokens } = this.text;
    if (!(head >= 0 && head < queryHeads && query >= 0 && query < tokens)) {
      throw new UserError(
        `There is no head ${head} or token ${query} here; heads go to ${queryHeads - 1}, tokens to ${tokens - 1}.`,
      );
    }
    const { method, parameters, spec } = this.#method();
    if (own && ownPositionsOf(method, parameters) !== own) {
      throw new UserError('Another method is being run; the picture follows.');
    }
    await this.#isDrawn;
    const row = await explainRow({
      text: this.text,
      method,
      parameters,
      layer,
      head,
      query,
      evictAt: this.#study.facts.queries.start,
      positions: own ? 'own' : 'model',
      memo: this.#memo,
    });
    // As the study names it, so that the page knows it again.
    return { ...row, method: spec };
  }

  #method(): ResolvedMethod {
    if (!this.#current)
      throw new UserError('No method has been chosen yet; the picture follows with the study.');
    return this.#current;
  }

  /** The current method's blocks in one layer; made once. */
  #selectionOf(layer: number, signal?: AbortSignal): Promise<readonly BlockSelection[]> {
    let selection = this.#selections.get(layer);
    if (!selection) {
      const { method, parameters } = this.#method();
      selection = selectAll({
        text: this.text,
        method,
        parameters,
        traceIndex: this.text.layerTraces.findIndex((layerTrace) => layerTrace.layer === layer),
        evictAt: this.#study.facts.queries.start,
        withScores: false,
        memo: this.#memo,
        signal,
      }).then(({ blocks }) => blocks);
      this.#selections.set(layer, selection);
      const selections = this.#selections;
      selection.catch(() => selections.delete(layer));
    }
    return selection;
  }

  async #sweep({ resolved, pinned, signal, emit }: MeasureWork): Promise<void> {
    const { queries } = this.#study.facts;
    const wanted = [resolved, ...pinned].map((entry, i) => ({
      ...entry,
      current: i === 0,
      key: this.#curveKey(entry),
    }));
    const missing = wanted.filter(
      (entry, i) => !this.#curves.has(entry.key) && wanted.findIndex(({ key }) => key === entry.key) === i,
    );
    if (missing.length > 0) {
      const curves = await sweep({
        text: this.text,
        methods: missing,
        fractions: SWEEP_FRACTIONS,
        queries,
        signal,
        memo: this.#memo,
        onLayer: (layers) => this.#report(emit, 'sweep', layers),
      });
      curves.forEach((curve, i) => {
        this.#curves.set(missing[i]!.key, curve);
      });
    }
    const all = wanted.map(({ key, current, spec }) => ({
      ...(this.#curves.get(key) as SweepCurve),
      current,
      method: spec,
    }));
    emit({ name: 'measured', value: { sweep: all } });
  }

  /** What a method's curve depends on: the parameters of its points, whatever the budget of its own. */
  #curveKey({ method, parameters }: ResolvedMethod): string {
    const name = methodKey({ id: method.id, parameters });
    let key = this.#curveKeys.get(name);
    if (key === undefined) {
      const context = contextOf(this.text);
      const { queries, answerStart } = this.#study.facts;
      const places = { evictAt: queries.start, answerStart };
      const points = SWEEP_FRACTIONS.map((fraction) =>
        method.withBudget(parameters, context, fraction, places),
      );
      key = JSON.stringify([method.id, points]);
      this.#curveKeys.set(name, key);
    }
    return key;
  }

  #report(emit: EngineRun['emit'], what: string, layers: number): void {
    const total = this.text.layerTraces.length;
    const label = `${what}: ${layers} of ${total} layers`;
    emit({ name: 'progress', value: { label, fraction: layers / total, expectedSeconds: null } });
  }

  #layer(index: number): LayerTrace {
    const found = this.text.layerTraces.find(({ layer }) => layer === index);
    if (!found)
      throw new UserError(`There is no layer ${index} here; layers go from 0 to ${this.text.layers - 1}.`);
    return found;
  }
}
