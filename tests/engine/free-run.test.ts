import { beforeAll, expect, test } from 'vitest';
import { createCpuOps } from '../../gpu/cpu';
import { sampleTexts } from '../../src/cli/node-environment';
import { compareRuns } from '../../src/engine/compare-runs';
import { continuationOf, type Generation, generate } from '../../src/engine/generation';
import { type OpenModel, openModel } from '../../src/engine/open-model';
import { parameterContext, resolve } from '../../src/engine/resolve';
import { buildText, type StudyText } from '../../src/engine/source';
import { full } from '../../src/methods/full';
import type { MethodSpec } from '../../src/methods/method-spec';
import { nodeFolder } from '../../src/model/files/folder-node';
import type { FreeRunMeasurement } from '../../src/study/results';
import type { QueriesStart, SourceSpec } from '../../src/study/spec';

const { signal } = new AbortController();
let model: OpenModel;
let text: StudyText;
let reference: Generation;

beforeAll(async () => {
  model = await openModel(createCpuOps(), nodeFolder('samples/model'));
  const source = { kind: 'task', task: 'four-needles', tokens: 1024, depth: 'spread', seed: 7 } as const;
  text = textOf(source, null);
  reference = await read({ id: 'full', parameters: {} });
}, 120_000);

function textOf(source: SourceSpec, queriesStart: QueriesStart): StudyText {
  return buildText({ source, queriesStart, startToken: null }, model.tokenizer!, model.config, sampleTexts());
}

async function read(spec: MethodSpec, of = text): Promise<Generation> {
  const { method, parameters } = resolve(spec, parameterContext(model, 1024));
  const reading = await generate({
    ...{ method, parameters, signal, decoder: model.decoder, calibration: model.calibration },
    ...{ layerTraces: null, ids: of.ids, keepQueries: false, keepSelections: method !== full },
    answerStart: of.facts.answerStart,
    continuation: continuationOf(model, of),
    queriesStart: of.facts.queries.start,
    isAnswerComplete: (generated) => of.isAnswerComplete(generated),
    onProgress: () => {},
  });
  reading.session.release();
  return reading;
}

test('evicted after the question, a method differs once it has written what the question’s last token says', async () => {
  const source = { kind: 'task', task: 'single-needle', tokens: 160, depth: 'spread', seed: 7 } as const;
  const after = textOf(source, 'answer');
  const { start } = after.facts.queries;
  const whole = await read({ id: 'full', parameters: {} }, after);
  const snapkv = await read({ id: 'snapkv', parameters: { keepFraction: 0.1 } }, after);
  const run = await compareRuns(model.decoder, after, whole, snapkv, signal);
  expect(run.question).toBeNull();
  expect(run.answerPart).toMatchObject({ start, end: after.ids.length - 1 });
  // The space that the answer begins with is written and read with all keys, and predicts the first digit.
  expect(after.facts.answerStart).toBe(start - 1);
  expect(run.generatedTexts!.method.slice(0, 2)).toEqual(run.generatedTexts!.full.slice(0, 2));
  expect(run.generatedTexts!.full[0]).toBe(' ');
  expect(run.divergenceByToken).toHaveLength(after.ids.length - start);
  expect(run.divergenceByToken[0]).toBeGreaterThan(0.1);
}, 60_000);

test('who chooses block by block answers alike, wherever others evict', async () => {
  const source = { kind: 'task', task: 'stars', tokens: 200, depth: 'spread', seed: 0 } as const;
  const places = [null, 'answer'] as const;
  const [before, after] = await Promise.all(
    places.map((queriesStart) => read({ id: 'tokenselect', parameters: {} }, textOf(source, queriesStart))),
  );
  expect(after!.generated).toEqual(before!.generated);
  expect(textOf(source, 'answer').judge(after!.generated!).right).toBe(true);
}, 60_000);

async function freeRun(spec: MethodSpec): Promise<FreeRunMeasurement> {
  return compareRuns(model.decoder, text, reference, await read(spec), signal);
}

// The needles' digits each have a query of their own that writes them; in layer 7 the heads look them up.
const EVERY_DIGIT = [5, 5, 5, 5];
const inLayer = ({ needles }: FreeRunMeasurement, layer: number, head: number): number[] =>
  needles!.map(({ kept }) => kept[layer]![head]!);

test('what a right answer was read from is what the needles show: ESA with two selected tokens', async () => {
  const run = await freeRun({ id: 'esa', parameters: { selectedTokens: 2 } });
  expect(run.answer).toEqual({ text: ' 51733, 59373, 59748, 68477.', right: true });
  expect(run.differsAt).toBeNull();
  expect(run.needles!.map(({ digits }) => digits)).toEqual(EVERY_DIGIT);
  for (const head of [0, 4]) expect(inLayer(run, 7, head)).toEqual(EVERY_DIGIT);
  for (const layer of [3, 4, 5, 6]) expect(inLayer(run, layer, 4)).toEqual([0, 0, 0, 0]);

  // The mean is about the question: one part of the queries apart from the other, and all of them but the last in one.
  const { question, answerPart, divergenceByToken, divergenceNats } = run;
  expect(question).toMatchObject({ start: 951, end: 995, meanNats: expect.closeTo(1.436, 2) });
  expect(answerPart).toMatchObject({ start: 995, end: 1023, shareAbove: 0, top1Agreement: 1 });
  expect(answerPart!.meanNats).toBeLessThan(0.001);
  const sum = 44 * question!.meanNats + 28 * answerPart!.meanNats + divergenceByToken[72]!;
  expect(sum / 73).toBeCloseTo(divergenceNats, 9);
}, 60_000);

test('what a wrong answer did not see: ESA without selected tokens', async () => {
  const run = await freeRun({ id: 'esa', parameters: { selectedTokens: 0 } });
  expect(run.answer!.right).toBe(false);
  expect(run.fullAnswer!.right).toBe(true);
  expect(run.generatedTexts!.method.join('')).toBe(run.answer!.text);
  expect(run.differsAt).toEqual({ token: 1, written: '6', expected: '5' });
  // It went on beyond the length of the true answer: every digit had its query.
  expect(run.needles!.map(({ digits }) => digits)).toEqual(EVERY_DIGIT);
  for (let layer = 0; layer < 8; layer++) expect(inLayer(run, layer, 4)).toEqual([0, 0, 0, 0]);
}, 60_000);

test('a text that asks nothing is continued by both, up to where they part', async () => {
  const source = { kind: 'text', text: 'The old sailor counted 41 stars. The old sailor counted' } as const;
  const prose = buildText(
    { source, queriesStart: null, startToken: null },
    model.tokenizer!,
    model.config,
    [],
  );
  const both = await Promise.all(
    [{ id: 'full' }, { id: 'streaming-llm', parameters: { keepFraction: 0.2, sinkTokens: 1 } }].map(
      ({ id, parameters = {} }) => read({ id, parameters }, prose),
    ),
  );
  const run = await compareRuns(model.decoder, prose, both[0]!, both[1]!, signal);
  const { full: whole, method } = run.generatedTexts!;
  expect(whole.length).toBeGreaterThan(0);
  expect(whole.length).toBeLessThanOrEqual(32);
  const parted = whole.findIndex((token, at) => token !== method[at]);
  expect(run.differsAt).toEqual({ token: parted, written: method[parted], expected: whole[parted] });
  expect(run).toMatchObject({ expectedAnswer: null, answer: null, fullAnswer: null, needles: null });
  expect(run).toMatchObject({ question: null, answerPart: null });
}, 60_000);
