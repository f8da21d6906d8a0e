/** What `evaluate` computes: the free runs of seeds of generated tasks, in the order of lengths, tasks, seeds and methods. */

import { quote } from '../base/quote';
import { isUserError, UserError } from '../base/user-error';
import { generate } from '../engine/generation';
import { fitsMemory, type MemoryRequest, planMemory } from '../engine/memory/plan';
import { gatherNotices } from '../engine/notices';
import type { OpenModel } from '../engine/open-model';
import { OpenText } from '../engine/open-text';
import { parameterContext, type ResolvedMethod, resolve } from '../engine/resolve';
import { buildText, type StudyText } from '../engine/source';
import { compareStates } from '../measure/logits';
import { measureLayers } from '../measure/measure-layers';
import { Memo } from '../measure/memo';
import type { EvictAfter } from '../methods/method';
import { needsHidden, readsTrace, type StudyPlaces } from '../methods/method';
import { isFullAttention } from '../methods/method-spec';
import type { ParameterContext } from '../methods/parameters';
import { LONGEST_ANSWER_TOKENS } from '../study/limits';
import { queriesAfter } from '../study/spec';
import { digitsRight } from '../tasks/answer';
import type { Chat } from '../tasks/task';
import type { Answer, CellKey, Measures } from './evaluation-file';
import type { Example } from './examples';
import { sampleTexts } from './node-environment';
import { encodingMilliseconds, withinTime } from './time-limit';

/** Free runs at once on a GPU: while one waits for a token, the others keep the device busy. */
const GPU_RUNS = 6;

/** A part of the texts (length × task × seed): every count-th from index on, as neighbours take about as long. */
export interface Share {
  readonly index: number;
  readonly count: number;
}

export interface SeedsAsked {
  readonly plan: readonly CellKey[];
  /** Seeds from `first` up to, not including, `end`. */
  readonly seeds: { readonly first: number; readonly end: number };
  readonly share: Share;
}

export interface SeedsRequest extends SeedsAsked {
  readonly model: OpenModel;
  readonly isAnswered: (key: CellKey, seed: number) => boolean;
  /** Called with every answer, as they come. */
  readonly onAnswer: (answer: Answer) => void;
  /** Null: as the tokenizer has it. */
  readonly startToken: boolean | null;
  /** The model's chat template where texts are messages; null: they are not. */
  readonly chat: Chat | null;
  /** The texts that seeds count, from 0; null: seeds of generated tasks. */
  readonly examples: readonly Example[] | null;
  /** Whether what a method keeps and loses is measured beside its answers. */
  readonly measures: boolean;
}

interface Job {
  readonly key: CellKey;
  readonly seed: number;
  /** The same for all methods of a seed. */
  readonly text: ReadText;
}

/** Answers what is not answered yet. Throws UserError for a model without tokenizer and for tasks that do not fit. */
export async function answerSeeds(request: SeedsRequest): Promise<void> {
  const { model, plan, onAnswer } = request;
  const jobs = jobsOf(request);
  const lane = async (): Promise<void> => {
    for (const { key, seed, text } of jobs) {
      const { task, tokens, label, evictAfter } = key;
      const answer = await naming(request, seed, () => runSeed(request, key, seed, text));
      text.leave();
      onAnswer({ task, tokens, label, evictAfter, seed, ...answer });
    }
  };
  const lanes = model.decoder.ops.backend === 'cpu' ? 1 : runsWithRoom(model, plan, longestExample(request));
  await Promise.all(Array.from({ length: lanes }, lane));
}

/** As many free runs at once as there is room for, of the longest text. */
function runsWithRoom(model: OpenModel, plan: readonly CellKey[], longest: number): number {
  let runs = GPU_RUNS;
  const fits = (key: CellKey): boolean => {
    const tokens = key.tokens || longest;
    const queriesStart = Math.max(0, tokens - LONGEST_ANSWER_TOKENS);
    const resolved = resolveKey(key, parameterContext(model, tokens), null);
    if (!('method' in resolved)) return true;
    return fitsMemory({
      ...memoryOf(model, resolved, { tokens, queriesStart, answerStart: tokens - 1 }),
      runsAtOnce: runs,
    });
  };
  while (runs > 1 && !plan.every(fits)) runs--;
  return runs;
}

/** What a text that full attention reads, and a free run beside it, take. */
function memoryOf(
  model: OpenModel,
  { method, parameters }: ResolvedMethod,
  places: Pick<MemoryRequest, 'tokens' | 'queriesStart' | 'answerStart'>,
): MemoryRequest {
  return {
    ...{ method, parameters, ...places, parts: ['probe', 'free'], config: model.config },
    limits: model.decoder.ops.memoryLimits,
    recordsHidden: needsHidden(method, parameters),
  };
}

/** A cell's method for one text: with the budget of the cell, or why there is none. Null places: with parameters as they are. */
function resolveKey(
  { id, parameters, keep }: CellKey,
  context: ParameterContext,
  text: { readonly tokens: number; readonly places: StudyPlaces } | null,
): ResolvedMethod | { readonly floor: number } | { readonly reason: string } {
  const asked = resolve({ id, parameters: parameters as never }, context);
  if (keep === undefined || !text) return asked;
  const inText = { ...context, tokens: text.tokens };
  const fitted = asked.method.withBudget(asked.parameters, inText, keep, text.places);
  return 'parameters' in fitted ? { ...asked, parameters: fitted.parameters } : fitted;
}

/** The texts of a share, each with its place in the whole. */
export function* textsOf({ plan, seeds, share }: SeedsAsked) {
  const isOfGroup = (a: CellKey, b: CellKey): boolean => a.task === b.task && a.tokens === b.tokens;
  const groups = plan.filter((key, i) => plan.findIndex((other) => isOfGroup(other, key)) === i);
  let texts = 0;
  for (const { task, tokens } of groups) {
    for (let seed = seeds.first; seed < seeds.end; seed++) {
      if (texts++ % share.count === share.index) yield { task, tokens, seed };
    }
  }
}

function* jobsOf(request: SeedsRequest): Generator<Job> {
  const { plan, isAnswered } = request;
  for (const asked of textsOf(request)) {
    const { task, tokens, seed } = asked;
    const due = plan.filter((key) => key.task === task && key.tokens === tokens && !isAnswered(key, seed));
    if (due.length === 0) continue;
    const text = new ReadText(request, asked, due);
    for (const key of due) yield { key, seed, text };
  }
}

/** One text, and what full attention has read of it where that serves several methods or is needed by one. */
class ReadText {
  readonly #request: SeedsRequest;
  readonly #asked: { readonly task: string; readonly tokens: number; readonly seed: number };
  readonly #due: readonly CellKey[];
  readonly memo = new Memo();
  #text: StudyText | null = null;
  #open: Promise<OpenText> | null = null;
  #users: number;

  constructor(
    request: SeedsRequest,
    asked: { readonly task: string; readonly tokens: number; readonly seed: number },
    due: readonly CellKey[],
  ) {
    this.#request = request;
    this.#asked = asked;
    this.#due = due;
    this.#users = due.length;
  }

  get text(): StudyText {
    this.#text ??= seedText(this.#request, this.#asked);
    return this.#text;
  }

  /** What parameters depend on: the length that was asked for, or an example's own. */
  context(): ParameterContext {
    return parameterContext(this.#request.model, this.#asked.tokens || this.text.ids.length);
  }

  /** Where the text is evicted from and answered. */
  places(evictAfter: EvictAfter): StudyPlaces & { readonly answerStart: number } {
    const { answerStart, ...places } = this.text.placesAt(queriesAfter(evictAfter));
    // Tasks and examples have an answer.
    return { ...places, answerStart: answerStart! };
  }

  /** The method of a cell, for this text. */
  resolve(key: CellKey) {
    const { ids } = this.text;
    return resolveKey(key, this.context(), { tokens: ids.length, places: this.places(key.evictAfter) });
  }

  /** What a study of this text and `method` takes. */
  plan(method: ResolvedMethod, evictAt: number) {
    const { model } = this.#request;
    const { queries, answerStart } = this.text.facts;
    const places = { tokens: this.text.ids.length, queriesStart: queries.start, answerStart };
    return planMemory({
      ...memoryOf(model, method, places),
      ...(this.#open ? {} : { parts: ['free'] }),
      evictAt,
    });
  }

  /** The text as full attention has read it; null where nobody would gain by it. */
  async read(): Promise<OpenText | null> {
    this.#open ??= this.#openWhereUsed();
    return this.#open;
  }

  /** Told by each of its methods when it has been answered. */
  leave(): void {
    this.#users--;
    if (this.#users > 0) return;
    this.memo.close();
    void this.#open?.then((open) => open.release());
  }

  #openWhereUsed(): Promise<OpenText> | null {
    const { model, measures } = this.#request;
    const due = this.#due.map((key) => this.resolve(key)).filter((of) => 'method' in of);
    const isShared = ({ method, parameters }: ResolvedMethod): boolean =>
      Boolean(method.traits(parameters).isDenseBefore) || isFullAttention(method, parameters);
    const isRead = due.some(({ method, parameters }) => readsTrace(method, parameters, model.calibration));
    if (!(measures || isRead || due.filter(isShared).length > 1)) return null;
    const hidden = due.find(({ method, parameters }) => needsHidden(method, parameters));
    const { queries, answerStart } = this.text.facts;
    const places = { tokens: this.text.ids.length, queriesStart: queries.start, answerStart };
    const plan = planMemory(memoryOf(model, hidden ?? due[0]!, places));
    return OpenText.open(model, this.text, plan, new AbortController().signal, () => {});
  }
}

/** What a sentence about one of --examples begins with its line. */
async function naming<T>(
  { examples }: Pick<SeedsRequest, 'examples'>,
  seed: number,
  work: () => Promise<T>,
): Promise<T> {
  try {
    return await work();
  } catch (error) {
    const example = examples?.[seed];
    if (!example || !isUserError(error)) throw error;
    throw new UserError(`Line ${example.line} of the examples: ${error.message}`);
  }
}

/** Tokens of the longest by characters; 0 without examples. */
function longestExample(request: SeedsRequest): number {
  const { examples, plan } = request;
  if (!examples) return 0;
  const characters = examples.map(({ context, question }) => context.length + question.length);
  const seed = characters.indexOf(Math.max(...characters));
  return seedText(request, { task: plan[0]!.task, tokens: 0, seed }).ids.length;
}

function seedText(
  { model, startToken, chat, examples }: SeedsRequest,
  asked: { readonly task: string; readonly tokens: number; readonly seed: number },
): StudyText {
  const { tokenizer, config } = model;
  if (!tokenizer) throw new UserError(model.noTokenizer);
  const example = examples?.[asked.seed];
  if (example) {
    const { context: text, question, answers: expected } = example;
    const source = { kind: 'text', text, question, expected } as const;
    return withinTime(encodingMilliseconds(4 * text.length), `Encoding line ${example.line}`, () =>
      buildText({ source, queriesStart: null, startToken }, tokenizer, config, [], {
        ...{ chat, mostTokens: Number.POSITIVE_INFINITY },
      }),
    );
  }
  const source = { kind: 'task', depth: 'spread', ...asked } as const;
  const samples = sampleTexts();
  // A token is some four characters, and a text is encoded several times while it is made.
  return withinTime(
    encodingMilliseconds(100 * asked.tokens),
    `Making seed ${asked.seed} of ${asked.task}`,
    () => buildText({ source, queriesStart: null, startToken }, tokenizer, config, samples, { chat }),
  );
}

async function runSeed(
  request: SeedsRequest,
  key: CellKey,
  seed: number,
  read: ReadText,
): Promise<Pick<Answer, 'isRight' | 'lossNats' | 'measures' | 'notices' | 'example'>> {
  const { model } = request;
  const { text } = read;
  const example = request.examples?.[seed];
  const exampleOf = (answer: string) =>
    example && { example: { id: example.id, tokens: text.ids.length, answer } };
  const resolved = read.resolve(key);
  if (!('method' in resolved)) {
    const why =
      'reason' in resolved
        ? resolved.reason
        : `Texts where ${key.keep} is below what ${key.id} can keep, ${resolved.floor.toFixed(3)} or so, are not run.`;
    return { isRight: null, lossNats: 0, measures: {}, notices: [why], ...exampleOf('') };
  }
  const { method, parameters } = resolved;
  const places = read.places(key.evictAfter);
  if (places.evictAt === text.ids.length - 1) {
    const why = 'An answer of one token is written before anything is evicted after the question: not run.';
    return { isRight: null, lossNats: 0, measures: {}, notices: [why], ...exampleOf('') };
  }
  const open = await read.read();
  const {
    generated,
    queryStates: states,
    notices: ofRun,
  } = open && isFullAttention(method, parameters)
    ? { ...open.full, notices: [] }
    : await freeRun(request, resolved, places, read, open);
  // Of a text that is evicted from after its question, queries are the answer's.
  const { start } = text.facts.queries;
  const from = Math.max(start, places.evictAt);
  const ofQueries = (all: Float32Array): Float32Array =>
    all.subarray((from - start) * model.config.hiddenSize);
  const next = text.ids.subarray(from + 1);
  const { lossNats, divergenceNats } = await compareStates(
    model.decoder,
    ofQueries(open?.full.queryStates ?? states),
    ofQueries(states),
    next,
  );
  // Question and answer are queries, so some have a next token.
  if (lossNats === null) throw new Error('a task without a token to predict');
  if (!Number.isFinite(lossNats)) {
    throw new UserError(
      `The loss of ${key.task}, ${key.tokens} tokens, with ${quote(key.label)} is ${lossNats}: numbers in the model overflow; no answer of it is counted.`,
    );
  }
  const measured =
    open && request.measures ? { ...(await measureText(resolved, places, read, open)), divergenceNats } : {};
  const notices = [...gatherNotices({ method, parameters, context: read.context(), run: ofRun })];
  const answer = text.judge(generated ?? []);
  const measures = request.examples
    ? measured
    : { digitShare: digitsRight(answer.text, { answerText: text.answerText! }), ...measured };
  return { isRight: answer.right, lossNats, measures, notices, ...exampleOf(answer.text) };
}

async function freeRun(
  { model }: SeedsRequest,
  resolved: ResolvedMethod,
  places: StudyPlaces,
  read: ReadText,
  open: OpenText | null,
) {
  const { method, parameters } = resolved;
  const { text } = read;
  const layerTraces = open?.text.layerTraces ?? null;
  // Without their hidden states, what wants them reads for itself.
  const isTaken = layerTraces && (!method.traits(parameters).wants.hidden || open!.hasHidden);
  const { session, ...reading } = await generate({
    decoder: model.decoder,
    rotatedLayers: read.plan(resolved, places.evictAt).rotatedLayers.free,
    ...{ method, parameters, layerTraces, calibration: model.calibration },
    rereading: open?.text.rereading ?? null,
    dense: isTaken ? { layerTraces, queryStates: open!.full.queryStates } : null,
    ids: text.ids,
    answerStart: places.answerStart,
    queriesStart: text.facts.queries.start,
    evictAt: places.evictAt,
    keepQueries: false,
    isAnswerComplete: (generated) => text.isAnswerComplete(generated),
    signal: new AbortController().signal,
    onProgress: () => {},
  });
  session.release();
  return reading;
}

/** What the method keeps and loses where every layer sees full attention's queries and keys: means over layers. */
async function measureText(
  { method, parameters }: ResolvedMethod,
  places: StudyPlaces,
  { text, memo }: ReadText,
  open: OpenText,
): Promise<Measures> {
  const queries = { start: places.evictAt, end: text.ids.length };
  const measured = await measureLayers({ text: open.text, method, parameters, queries, memo });
  const chosen = measured.filter(({ window }) => window === undefined);
  const layers = chosen.length > 0 ? chosen : measured;
  const mean = (values: readonly number[]): number =>
    values.reduce((sum, value) => sum + value, 0) / values.length;
  const recalls = layers.map(({ massRecall }) => massRecall);
  return {
    kept: mean(layers.map(({ keptShare }) => keptShare)),
    massRecall: recalls.includes(null) ? null : mean(recalls as number[]),
    outputError: mean(layers.map(({ outputError }) => outputError)),
  };
}
