/**
 * What the engine does once a study is done and nothing else runs: it measures time, then runs the answers of the sweep's points.
 * Anything that a person changes ends it.
 */
import type { Part } from '../engine/events';
import type { MethodSpec } from '../methods/method-spec';
import type { StudySpec } from '../study/spec';
import type { ToWorker } from './protocol';

/** Answers of a whole sweep are run unasked where they should take no longer than this. */
const LONGEST_UNASKED_MILLISECONDS = 120_000;
/** Free runs of a sweep, about. */
const SWEEP_RUNS = 12;

type Extras = Pick<Extract<ToWorker, { type: 'run' }>, 'parts' | 'answersOf' | 'timeUnlimited'>;

export interface AfterwardsOptions {
  /** Hands a part to the worker that has the probe run, or the one that has the free runs. */
  give(worker: 'probe' | 'free', run: Extras): void;
  /** Stops what `give` has started, without a word. */
  stop(): void;
  /** The study is done, time included. */
  onRest(): void;
  /** No answers are pending any more. */
  onAnswersEnd(): void;
}

export class Afterwards {
  readonly #options: AfterwardsOptions;
  #part: Extract<Part, 'time' | 'answers'> | null = null;
  #spec: StudySpec | null = null;
  #freeRunMilliseconds = 0;
  #hasFailed = false;

  constructor(options: AfterwardsOptions) {
    this.#options = options;
  }

  /** A study begins, or is stopped (null): what is pending here is over. */
  begin(spec: StudySpec | null): void {
    if (this.#part === 'answers') this.#options.onAnswersEnd();
    this.#part = null;
    this.#spec = spec;
    this.#freeRunMilliseconds = 0;
    this.#hasFailed = false;
  }

  failed(): void {
    this.#hasFailed = true;
  }

  timing(timing: Readonly<Record<string, number>>): void {
    this.#freeRunMilliseconds = timing.freeRun ?? this.#freeRunMilliseconds;
  }

  /** Everything that was given has ended. */
  ended(): void {
    const part = this.#part;
    const spec = this.#spec;
    const options = this.#options;
    this.#part = null;
    if (part === 'answers') {
      options.onAnswersEnd();
      return;
    }
    if (part === null && spec && !this.#hasFailed) {
      this.measureTime(false);
      return;
    }
    options.onRest();
    const expected = SWEEP_RUNS * this.#freeRunMilliseconds;
    if (part === 'time' && spec && expected < LONGEST_UNASKED_MILLISECONDS) this.answer([spec.method]);
  }

  /** `isUnlimited`: a person has asked for it, and waits. False: there is no study that has ended well. */
  measureTime(isUnlimited: boolean): boolean {
    if (!this.#spec) return false;
    if (this.#part !== null) {
      this.#options.stop();
      if (this.#part === 'answers') this.#options.onAnswersEnd();
    }
    this.#part = 'time';
    this.#options.give('probe', { parts: ['time'], timeUnlimited: isUnlimited });
    return true;
  }

  /** False as in measureTime. */
  answer(methods: readonly MethodSpec[]): boolean {
    if (!this.#spec) return false;
    if (this.#part === 'time') return true;
    if (this.#part === 'answers') this.#options.stop();
    this.#part = 'answers';
    this.#options.give('free', { parts: ['answers'], answersOf: methods });
    return true;
  }
}
