/** One engine worker as the page holds it: what it is busy with, whether it still hears, whether it still lives. */

import type { Part } from '../engine/events';
import type { FromWorker, ToWorker } from './protocol';

export interface HandleEvents {
  message(message: FromWorker): void;
  /** The worker is no more, or never was: a clause. */
  died(why: string): void;
  /** It was told to let go of a run and has not. */
  stuck(): void;
}

/** How long a worker has to let go of a run: without a sign of life, and in all. */
export interface Patience {
  readonly silentMilliseconds: number;
  readonly awakeMilliseconds: number;
}

/** After Cancel. */
export const afterCancel: Patience = { silentMilliseconds: 2_000, awakeMilliseconds: 10_000 };
/** Where a study overtakes another: no operation of a sound study takes so long, however slow the machine. */
export const afterOvertaking: Patience = { silentMilliseconds: 20_000, awakeMilliseconds: 60_000 };

/** Where there are no locks: how often a busy worker is asked for a sign of life, and how often it may owe one. */
const PULSE_MILLISECONDS = 10_000;
const MISSED_PULSES = 18;

let lives = 0;

export class EngineHandle {
  parts: readonly Part[];
  readonly #worker: Worker;
  readonly #events: HandleEvents;
  readonly #busy = new Set<number>();
  readonly #ended = new AbortController();
  readonly #life: string | null;
  #pings = 0;
  #pongs = 0;
  /** One for each time that the worker was told to let go, until it is freed of all it is busy with. */
  readonly #watches = new Set<ReturnType<typeof setTimeout>>();
  #pulse: ReturnType<typeof setInterval> | null = null;
  #missed = 0;

  constructor(worker: Worker, parts: readonly Part[], events: HandleEvents) {
    this.#worker = worker;
    this.parts = parts;
    this.#events = events;
    lives++;
    this.#life = globalThis.navigator?.locks
      ? `keyhole engine ${Date.now()}.${Math.random()}.${lives}`
      : null;
    worker.onmessage = (message: MessageEvent<FromWorker>) => this.#hear(message.data);
    worker.onerror = (event) => {
      event.preventDefault();
      if (!this.isEnded) events.died(event.message || 'its worker could not be started');
    };
    if (!this.#life) this.#pulse = setInterval(() => this.#beat(), PULSE_MILLISECONDS);
  }

  get isEnded(): boolean {
    return this.#ended.signal.aborted;
  }

  start(backend: Extract<ToWorker, { type: 'start' }>['backend'], page: string): void {
    this.post({ type: 'start', backend, page, life: this.#life });
  }

  post(message: ToWorker): void {
    if (this.isEnded) return;
    if (message.type === 'run') this.#busy.add(message.run);
    this.#worker.postMessage(message);
  }

  /** Sees to it that the worker lets go of all runs it is busy with now. */
  expectFreed({ silentMilliseconds, awakeMilliseconds }: Patience): void {
    if (this.#busy.size === 0 || this.isEnded) return;
    const runs = [...this.#busy];
    const isFreed = (): boolean => runs.every((run) => !this.#busy.has(run));
    const pings = this.#ping();
    this.#later(silentMilliseconds, () => {
      if (isFreed()) return;
      if (this.#pongs < pings) this.#events.stuck();
      else
        this.#later(awakeMilliseconds - silentMilliseconds, () => {
          if (!isFreed()) this.#events.stuck();
        });
    });
  }

  terminate(): void {
    if (this.isEnded) return;
    this.#ended.abort();
    this.#endWatches();
    if (this.#pulse !== null) clearInterval(this.#pulse);
    this.#worker.terminate();
  }

  #hear(message: FromWorker): void {
    if (this.isEnded) return;
    this.#missed = 0;
    if (message.type === 'alive') this.#attend();
    else if (message.type === 'pong') this.#pongs = Math.max(this.#pongs, message.id);
    else {
      if (message.type === 'freed') {
        this.#busy.delete(message.run);
        if (this.#busy.size === 0) this.#endWatches();
      }
      this.#events.message(message);
    }
  }

  /** Waits for the lock that the worker holds: it is granted when the worker is gone, whatever took it, and not before. */
  #attend(): void {
    const { signal } = this.#ended;
    globalThis.navigator.locks
      .request(this.#life!, { signal }, () => {
        if (!this.isEnded) this.#events.died('its worker ended without a word');
      })
      .catch(() => {});
  }

  #ping(): number {
    this.#pings++;
    this.post({ type: 'ping', id: this.#pings });
    return this.#pings;
  }

  #beat(): void {
    if (this.#busy.size === 0) {
      this.#missed = 0;
      return;
    }
    this.#missed++;
    if (this.#missed > MISSED_PULSES) this.#events.died('its worker has not answered for minutes');
    else this.#ping();
  }

  #later(milliseconds: number, look: () => void): void {
    const timer = setTimeout(() => {
      this.#watches.delete(timer);
      look();
    }, milliseconds);
    this.#watches.add(timer);
  }

  #endWatches(): void {
    for (const timer of this.#watches) clearTimeout(timer);
    this.#watches.clear();
  }
}
