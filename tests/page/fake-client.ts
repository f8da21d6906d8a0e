/** An engine that answers at once, or after `delayMilliseconds`, with synthetic numbers; it keeps what it was asked. */
import type { ArrivalQuestion } from '../../src/arrival/arrivals';
import { UserError } from '../../src/base/user-error';
import type { ImportedSelection } from '../../src/methods/imported/selection';
import type { RequestName, Requests, StudyClient, StudyEvents } from '../../src/study/client';
import type { TextFacts } from '../../src/study/facts';
import { type StudySpec, textKey } from '../../src/study/spec';
import {
  synthetic,
  syntheticCost,
  syntheticFreeRun,
  syntheticKept,
  syntheticLayers,
  syntheticLines,
  syntheticModel,
  syntheticRow,
  syntheticSweep,
  syntheticText,
  syntheticTime,
} from './synthetic';

export interface FakeClient extends StudyClient {
  readonly runs: StudySpec[];
  cancelled: number;
  readonly brought: ImportedSelection[];
  /** Files that were given, by model. */
  readonly given: Map<string, ReadonlyMap<string, Blob>>;
  readonly agreed: ArrivalQuestion[];
  /** Ids of methods whose answers were asked for, by request. */
  readonly answered: string[][];
}

const answers: {
  readonly [Name in RequestName]: (
    request: Requests[Name]['request'],
    spec: StudySpec,
    text: TextFacts,
  ) => Requests[Name]['reply'];
} = {
  attention({ work }, spec, text) {
    const data = synthetic(spec, text);
    return { lines: work.map((piece) => syntheticLines(piece, data)), milliseconds: 1 };
  },
  coverage({ tiles }, spec, text) {
    const data = synthetic(spec, text);
    return { kept: tiles.map((tile) => syntheticKept(tile, data)) };
  },
  row({ layer, head, query, positions }, spec, text) {
    return { ...syntheticRow(layer, head, query, spec, text), positions: positions ? 'own' : 'model' };
  },
  needs: ({ configs, tokens }) =>
    configs.map((config) => {
      const { hidden_size: size } = JSON.parse(config);
      if (!size) return 'config.json names no architecture that is supported.';
      const parameters = 1000 * size;
      return {
        parameters,
        fileBytes: 2 * parameters,
        memoryBytes: 4 * parameters + 1000 * tokens,
        refusal: null,
      };
    }),
};

export interface FakeOptions {
  readonly delayMilliseconds?: number;
  /** A sentence makes every run fail with it. */
  readonly failure?: string;
  /** Runs from this one on, counted from 0, say nothing by themselves: the test speaks for the engine. */
  readonly silentFrom?: number;
}

export function createFakeClient(
  events: StudyEvents,
  { delayMilliseconds = 0, failure, silentFrom = Number.POSITIVE_INFINITY }: FakeOptions = {},
): FakeClient {
  let spec: StudySpec | null = null;
  let text: TextFacts | null = null;
  let openKey = '';
  /** Whether the text was read by a run before. */
  let isOpen = false;
  let run = 0;
  let isCancelled = false;

  const steps = (study: StudySpec, facts: TextFacts): (() => void)[] => [
    () =>
      events.backend({ name: 'cpu', description: '2 worker threads', reason: 'This browser has no WebGPU.' }),
    () => events.model(syntheticModel),
    () => {
      isOpen = text !== null && textKey(study) === openKey;
      text = facts;
      openKey = textKey(study);
      events.text(facts);
    },
    () =>
      events.progress({
        label: `reading ${facts.tokens / 2} of ${facts.tokens} tokens`,
        fraction: 0.4,
        expectedSeconds: 12,
      }),
    () => {
      if (failure) events.failed(failure);
    },
    () => {
      if (!isOpen) events.textRead();
    },
    () => events.selectionReady(),
    () =>
      events.measured({
        queries: facts.queries,
        layers: syntheticLayers(study, facts),
        cost: syntheticCost(study, facts),
      }),
    () => events.measured({ freeRun: syntheticFreeRun(study, facts) }),
    () => events.measured({ sweep: syntheticSweep(study) }),
    () => events.timing({ forward: 812, probe: 240, freeRun: 1630, sweep: 410 }),
    () => events.idle(),
  ];

  const client: FakeClient = {
    runs: [],
    brought: [],
    given: new Map(),
    cancelled: 0,
    agreed: [],
    answered: [],
    async run(study) {
      run += 1;
      isCancelled = false;
      const mine = run;
      spec = study;
      client.runs.push(study);
      if (client.runs.length > silentFrom) return;
      const failed = new Set(failure ? [5, 6, 7, 8, 9, 10] : []);
      for (const [index, step] of steps(study, syntheticText(study)).entries()) {
        await new Promise((resolve) => setTimeout(resolve, delayMilliseconds));
        if (mine !== run) return;
        if (!failed.has(index)) step();
      }
    },
    bring(selection) {
      this.brought.push(selection);
    },
    give(model, files) {
      this.given.set(model, files);
    },
    cancel() {
      run += 1;
      isCancelled = true;
      client.cancelled += 1;
    },
    agree(question) {
      client.agreed.push(question);
    },
    measureTime() {
      if (isCancelled) return false;
      events.timed(syntheticTime);
      events.idle();
      return true;
    },
    answer(methods) {
      if (isCancelled) return false;
      client.answered.push(methods.map(({ id }) => id));
      return true;
    },
    look() {},
    async ask(name, request) {
      if (!spec || !text) throw new UserError('The text is not there yet.');
      return answers[name](request, spec, text);
    },
    dispose() {
      run += 1;
    },
  };
  return client;
}
