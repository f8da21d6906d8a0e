import { expect, test } from 'vitest';
import { createCpuOps } from '../../gpu/cpu';
import { nodeEnvironment } from '../../src/cli/node-environment';
import { Engine } from '../../src/engine/engine';
import type { EngineRun, PostedEvent } from '../../src/engine/events';
import { parameterContext, resolve } from '../../src/engine/resolve';
import type { MethodSpec } from '../../src/methods/method-spec';
import { parseConfig } from '../../src/model/architectures/parse-config';
import { nodeFolder } from '../../src/model/files/folder-node';
import type { CurveAnswers, FreeRunMeasurement } from '../../src/study/results';
import type { StudySpec } from '../../src/study/spec';
import { fileJson } from '../model/files';

const streaming: MethodSpec = { id: 'streaming-llm', parameters: { keepFraction: 0.25 } };
const study = (method = streaming): StudySpec => ({
  ...{ model: 'bundled', method, pinned: [], queriesStart: null, startToken: null },
  source: { kind: 'task', task: 'single-needle', tokens: 192, depth: 0.2, seed: 3 },
});
const environment = {
  modelFolder: () => nodeFolder('samples/model'),
  sampleTexts: nodeEnvironment().sampleTexts,
};
const engine = new Engine(createCpuOps(), environment);
const config = await parseConfig(fileJson('samples/model/config.json'));

async function run(change: Partial<EngineRun>): Promise<PostedEvent[]> {
  const events: PostedEvent[] = [];
  await engine.run({
    ...{ spec: study(), parts: [], signal: new AbortController().signal, full: null, onFull: () => {} },
    emit: (event) => events.push(event),
    ...change,
  });
  return events;
}

function freeRunIn(events: readonly PostedEvent[]): FreeRunMeasurement {
  for (const event of events)
    if (event.name === 'measured' && event.value.freeRun) return event.value.freeRun;
  throw new Error('no free run');
}

test('once a study is done its time is measured, then the answers at the points of its sweep', async () => {
  const first = freeRunIn(await run({ parts: ['probe', 'free'] }));
  expect(first.time).toBeNull();

  const timed = (await run({ parts: ['time'], timeUnlimited: true })).filter(({ name }) => name === 'timed');
  const { value: time } = (timed as Extract<PostedEvent, { name: 'timed' }>[])[0]!;
  expect(timed).toHaveLength(1);
  expect(time!.pairs).toBeGreaterThanOrEqual(5);
  expect(time!.full.milliseconds).toBeGreaterThan(0);
  expect(time!.ratio.low).toBeLessThanOrEqual(time!.ratio.median);
  // Full attention's operations by hand: 4·d + 3 a head and key, i + 1 keys at token i of the prompt, eight layers.
  const { layers, queryHeads: H, headDimension: d } = config;
  const prompt = first.answerPart!.start + 1;
  const keys = (prompt * (prompt + 1)) / 2;
  expect(time!.operations.full).toBeCloseTo(layers * H * (4 * d + 3) * keys, 0);
  // StreamingLLM reads what stands before the question densely: not much can be saved of the prompt.
  expect(time!.operations.method / time!.operations.full).toBeGreaterThan(0.6);
  expect(time!.operations.method).toBeLessThan(time!.operations.full);

  const told = (await run({ parts: ['answers'], answersOf: [streaming] })).flatMap((event) =>
    event.name === 'answered' ? [event.value] : [],
  );
  const last: CurveAnswers = told.at(-1)!;
  expect(last).toMatchObject({ method: streaming, done: 12, total: 12 });
  const context = parameterContext({ config }, first.answerPart!.end + 1);
  const { method, parameters } = resolve(streaming, context);
  for (const at of [0, 6, 11]) {
    const { keep, right } = last.rights[at]!;
    const fit = method.withBudget(parameters, context, keep, {
      evictAt: first.question!.start,
      answerStart: null,
    });
    if (!('parameters' in fit)) throw new Error('StreamingLLM has no floor');
    const alone = freeRunIn(
      await run({
        spec: study({ id: 'streaming-llm', parameters: fit.parameters }),
        parts: ['probe', 'free'],
      }),
    );
    expect(right, `keep ${keep}`).toBe(alone.answer!.right);
  }
  expect(last.rights.at(-1)!.right, 'keeping everything').toBe(first.fullAnswer!.right);
  const again = await run({ parts: ['answers'], answersOf: [streaming] });
  expect(
    again.flatMap((event) => (event.name === 'answered' ? [event.value.done] : [])),
    'known already',
  ).toEqual([12, 12]);
}, 120_000);

test('of a study that is not open no time is measured, and whoever has asked for it is told why', async () => {
  const fresh = new Engine(createCpuOps(), environment);
  const events: PostedEvent[] = [];
  const measure = (timeUnlimited: boolean) =>
    fresh.run({
      ...{ spec: study(), parts: ['time'], signal: new AbortController().signal, full: null, timeUnlimited },
      ...{ onFull: () => {}, emit: (event) => events.push(event) },
    });
  await measure(false);
  expect(events.at(-1)).toEqual({ name: 'timed', value: null });
  await expect(measure(true)).rejects.toThrow('The text is not read yet');
}, 60_000);
