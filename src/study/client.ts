/**
 * What the page knows of the engine. src/worker/client.ts talks to the workers; tests hand the store a fake.
 * A new `run` overtakes the current one: its remaining results never arrive.
 */
import type { ArrivalQuestion } from '../arrival/arrivals';
import type { QueryRow } from '../measure/results';
import type { ImportedSelection } from '../methods/imported/selection';
import type { MethodSpec } from '../methods/method-spec';
import type { AttentionReply, AttentionRequest, CoverageReply, CoverageRequest } from '../tiles/requests';
import type { BackendFacts, ModelFacts, Progress, TextFacts } from './facts';
import type { CurveAnswers, Measurements, TimeMeasurement } from './results';
import type { StudySpec } from './spec';

export interface StudyEvents {
  backend(facts: BackendFacts): void;
  model(facts: ModelFacts): void;
  text(facts: TextFacts): void;
  progress(progress: Progress): void;
  /** Parts arrive as they are measured; a part replaces the one before. */
  measured(part: Partial<Measurements>): void;
  /** The text has been read with full attention: its map can be asked for. */
  textRead(): void;
  /** The selection of a layer is there: what the method keeps can be asked for. */
  selectionReady(): void;
  /** What the method had to assume about this model and text, one sentence each; shown with its notes. */
  assumed(sentences: readonly string[]): void;
  /** The prompt's attention was timed; null: that would take too long. Arrives after `measured({freeRun})`. */
  timed(time: TimeMeasurement | null): void;
  /** Answers of a sweep's points, whenever another one is known; also after `idle`. */
  answered(answers: CurveAnswers): void;
  /** No more answers come for now. */
  answersEnded(): void;
  /** Milliseconds by name (load, forward, probe, freeRun, sweep, …). */
  timing(timing: Readonly<Record<string, number>>): void;
  /** The newest study runs anew from its start, on another worker or device; whatever was said of its failure no longer holds. */
  restarted(): void;
  /** Before more bytes are fetched the person has to agree; nothing runs until `agree`, and a study is asked for again. */
  asks(question: ArrivalQuestion): void;
  /** A sentence: the current run has failed; what was shown stays. */
  failed(sentence: string): void;
  /** Everything asked for has been delivered, or has failed. */
  idle(): void;
}

interface RowRequest {
  readonly layer: number;
  readonly head: number;
  readonly query: number;
  /** Whose, as in an AttentionRequest. */
  readonly positions?: string | null;
}

export interface ModelNeedRequest {
  /** Texts of config.json. */
  readonly configs: readonly string[];
  /** The study that is to run, and its text's places; another model may cut it into other tokens. */
  readonly spec: StudySpec;
  readonly tokens: number;
  readonly queriesStart: number;
  readonly answerStart: number | null;
}

/** Of a model and a study, computed from its config.json. */
export interface ModelNeed {
  readonly parameters: number;
  /** Of weights in the numbers that config.json names; files may hold more than that. */
  readonly fileBytes: number;
  /** At the peak, on this device, by all workers together. */
  readonly memoryBytes: number;
  /** Why this device cannot run it, one sentence; null where it can. */
  readonly refusal: string | null;
}

/** What is asked of the engine and answered, by name. A new request is an entry here and its answer in worker.ts. */
export interface Requests {
  readonly attention: { readonly request: AttentionRequest; readonly reply: AttentionReply };
  readonly coverage: { readonly request: CoverageRequest; readonly reply: CoverageReply };
  readonly row: { readonly request: RowRequest; readonly reply: QueryRow };
  /** In the order of the configs; a sentence for one that cannot be read. Needs no open text. */
  readonly needs: { readonly request: ModelNeedRequest; readonly reply: readonly (ModelNeed | string)[] };
}

export type RequestName = keyof Requests;

/** Rejects with UserError when the text is not there yet or the run was overtaken, with the signal's reason once it is aborted. */
export type Ask = <Name extends RequestName>(
  name: Name,
  request: Requests[Name]['request'],
  signal?: AbortSignal,
) => Promise<Requests[Name]['reply']>;

export interface StudyClient {
  run(spec: StudySpec): void;
  /** Stops the current run; what has arrived stays. */
  cancel(): void;
  /** The person has agreed to what `asks` asked. */
  agree(question: ArrivalQuestion): void;
  /** Measures time however long it takes; `timed`, then `idle`. False, and neither, where no study has ended well. */
  measureTime(): boolean;
  /** Runs the answers of these methods' curves. False as in measureTime. */
  answer(methods: readonly MethodSpec[]): boolean;
  /** A selection that was computed elsewhere: from now on studies may name it as their method. */
  bring(selection: ImportedSelection): void;
  /** Files that a person gave, by path: from now on studies may name this model. */
  give(model: string, files: ReadonlyMap<string, Blob>): void;
  /** Tells which layer and head should come first. */
  look(layer: number, head: number): void;
  readonly ask: Ask;
  dispose(): void;
}
