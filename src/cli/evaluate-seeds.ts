/** What `evaluate` computes: the free runs of seeds of generated tasks, in the order of lengths, tasks, seeds and methods. */

import { quote } from '../base/quote';
import { UserError } from '../base/user-error';
import { generate, LONGEST_ANSWER_TOKENS } from '../engine/generation';
import { fitsMemory, type MemoryRequest, planMemory } from '../engine/memory/plan';
import { gatherNotices } from '../engine/notices';
import type { OpenModel } from '../engine/open-model';
import { parameterContext, resolve } from '../engine/resolve';
import { buildText, type StudyText } from '../engine/source';
import { compareStates } from '../measure/logits';
import { type EvictAfter, queriesAfter } from '../study/spec';
import type { Answer, CellKey } from './evaluation-file';
import { sampleTexts } from './node-environment';
import { encodingMilliseconds, withinTime } from './time-limit';

/** Free runs at once on a GPU: while one waits for a token, the others keep the device busy. */
const GPU_RUNS = 6;

export interface SeedsRequest {
  readonly model: OpenModel;
  readonly plan: readonly CellKey[];
  /** Seeds from `first` up to, not including, `end`. */
  readonly seeds: { readonly first: number; readonly end: number };
  /** Of all texts (length × task × seed), every count-th from index on: neighbours take about as long. */
  readonly share: { readonly index: number; readonly count: number };
  readonly isAnswered: (key: CellKey, seed: number) => boolean;
  /** Called with every answer, as they come. */
  readonly onAnswer: (answer: Answer) => void;
  /** Null: as the tokenizer has it. */
  readonly startToken: boolean | null;
}

interface Job {
  readonly key: CellKey;
  readonly seed: number;
  /** The same for all methods of a seed that evict there. */
  readonly text: () => StudyText;
}

/** Answers what is not answered yet. Throws UserError for a model without tokenizer and for tasks that do not fit. */
export async function answerSeeds(request: SeedsRequest): Promise<void> {
  const { model, plan, onAnswer } = request;
  const jobs = jobsOf(request);
  const lane = async (): Promise<void> => {
    for (const { key, seed, text } of jobs) {
      const { task, tokens, label, evictAfter } = key;
      onAnswer({ task, tokens, label, evictAfter, seed, ...(await runSeed(model, key, text())) });
    }
  };
  const lanes = model.decoder.ops.backend === 'cpu' ? 1 : runsWithRoom(model, plan);
  await Promise.all(Array.from({ length: lanes }, lane));
}

/** As many free runs at once as there is room for, of the longest text. */
function runsWithRoom(model: OpenModel, plan: readonly CellKey[]): number {
  let runs = GPU_RUNS;
  const fits = (key: CellKey): boolean => fitsMemory(memoryOf(model, key, { tokens: key.tokens, runs }));
  while (runs > 1 && !plan.every(fits)) runs--;
  return runs;
}

/** What a free run takes; its queries and answer are few. */
function memoryOf(
  model: OpenModel,
  key: CellKey,
  { tokens, runs }: { readonly tokens: number; readonly runs: number },
): MemoryRequest {
  const context = parameterContext(model, key.tokens);
  const { method, parameters } = resolve({ id: key.id, parameters: key.parameters as never }, context);
  return {
    ...{ method, parameters, tokens, parts: ['free'], runsAtOnce: runs },
    config: model.config,
    limits: model.decoder.ops.memoryLimits,
    queriesStart: Math.max(0, tokens - LONGEST_ANSWER_TOKENS),
    answerStart: tokens - 1,
  };
}

function* jobsOf({ model, plan, seeds, share, isAnswered, startToken }: SeedsRequest): Generator<Job> {
  const isOfGroup = (a: CellKey, b: CellKey): boolean => a.task === b.task && a.tokens === b.tokens;
  const groups = plan.filter((key, i) => plan.findIndex((other) => isOfGroup(other, key)) === i);
  let counted = 0;
  for (const group of groups) {
    const { task, tokens } = group;
    for (let seed = seeds.first; seed < seeds.end; seed++) {
      if (counted++ % share.count !== share.index) continue;
      const due = plan.filter((key) => key.task === task && key.tokens === tokens && !isAnswered(key, seed));
      const texts = new Map<EvictAfter, StudyText>();
      for (const key of due) {
        const { evictAfter } = key;
        yield {
          key,
          seed,
          text: () => {
            const text =
              texts.get(evictAfter) ?? seedText(model, { task, tokens, seed }, evictAfter, startToken);
            texts.set(evictAfter, text);
            return text;
          },
        };
      }
    }
  }
}

function seedText(
  model: OpenModel,
  asked: { readonly task: string; readonly tokens: number; readonly seed: number },
  evictAfter: EvictAfter,
  startToken: boolean | null,
): StudyText {
  const { tokenizer, config } = model;
  if (!tokenizer) throw new UserError(model.noTokenizer);
  const source = { kind: 'task', depth: 'spread', ...asked } as const;
  const samples = sampleTexts();
  // A token is some four characters, and a text is encoded several times while it is made.
  return withinTime(
    encodingMilliseconds(100 * asked.tokens),
    `Making seed ${asked.seed} of ${asked.task}`,
    () =>
      buildText({ source, queriesStart: queriesAfter(evictAfter), startToken }, tokenizer, config, samples),
  );
}

async function runSeed(
  model: OpenModel,
  key: CellKey,
  text: StudyText,
): Promise<Pick<Answer, 'isRight' | 'lossNats' | 'notices'>> {
  const { queries, answerStart } = text.facts;
  const context = parameterContext(model, key.tokens);
  const { method, parameters } = resolve({ id: key.id, parameters: key.parameters as never }, context);
  const { rotatedLayers } = planMemory(memoryOf(model, key, { tokens: text.ids.length, runs: 1 }));
  const reading = await generate({
    decoder: model.decoder,
    rotatedLayers: rotatedLayers.free,
    method,
    parameters,
    calibration: model.calibration,
    layerTraces: null,
    ids: text.ids,
    answerStart,
    queriesStart: queries.start,
    keepQueries: false,
    isAnswerComplete: (generated) => text.isAnswerComplete(generated),
    signal: new AbortController().signal,
    onProgress: () => {},
  });
  reading.session.release();
  const { queryStates: states } = reading;
  const next = text.ids.subarray(queries.start + 1);
  const { lossNats } = await compareStates(model.decoder, states, states, next);
  // Question and answer are queries, so some have a next token.
  if (lossNats === null) throw new Error('a task without a token to predict');
  if (!Number.isFinite(lossNats)) {
    throw new UserError(
      `The loss of ${key.task}, ${key.tokens} tokens, with ${quote(key.label)} is ${lossNats}: numbers in the model overflow; no answer of it is counted.`,
    );
  }
  const notices = [...gatherNotices({ method, parameters, context, run: reading.notices })];
  return { isRight: text.judge(reading.generated ?? []).right, lossNats, notices };
}
