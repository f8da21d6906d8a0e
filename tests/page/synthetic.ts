/** Attention that looks like attention and comes from a formula: deterministic numbers in the engine's own types. */

import { noRecallReason } from '../../src/measure/made-cache';
import { FIRST_TOKENS, firstWeightOf, MISSED_FIRST, missedFrom } from '../../src/measure/missed';
import {
  type CostMeasurement,
  KEY_FATES,
  type LayerMeasurement,
  type QueryRow,
  type SweepCurve,
} from '../../src/measure/results';
import { methodById } from '../../src/methods';
import type { MethodSpec } from '../../src/methods/method-spec';
import type { ModelFacts, TextFacts } from '../../src/study/facts';
import type { FreeRunMeasurement, NeedleKept, TimeMeasurement } from '../../src/study/results';
import type { StudySpec } from '../../src/study/spec';
import { TILE_PIXELS, type TileAddress, tileTokens } from '../../src/tiles/grid';
import type { MapPicture, MapRequest, Thumbnails } from '../../src/tiles/picture';
import type { PooledLines, TileWork } from '../../src/tiles/requests';

export const syntheticModel: ModelFacts = {
  name: 'keyhole-3.5M',
  digest: '5f1d0c2ab9e4',
  layers: 8,
  queryHeads: 6,
  keyValueHeads: 2,
  headDimension: 32,
  vocabularySize: 2048,
  trainedTokens: 1024,
  parameterCount: 3_540_000,
};

const words =
  'The keeper wrote the day in his book and went down to the water while gulls stood along the wall and nobody came from the town until the evening lamp was trimmed again'.split(
    ' ',
  );
const names = ['amber lantern', 'hollow bridge', 'pale anchor', 'golden raven'];
const values = ['48213', '90177', '33520', '61804'];

/** A number in 0 … 1 from whole numbers. */
export function noise(...seeds: number[]): number {
  let hash = 2166136261;
  for (const seed of seeds) {
    hash = Math.imul(hash ^ (seed + 0x9e3779b9), 16777619);
    hash ^= hash >>> 13;
  }
  return ((Math.imul(hash, 2246822519) >>> 0) % 100_000) / 100_000;
}

export function syntheticText(spec: StudySpec): TextFacts {
  if (spec.source.kind === 'text') {
    const tokenTexts = ['<s>', ...(spec.source.text.match(/\s*\S+/g) ?? [])];
    return facts(tokenTexts, Math.max(0, tokenTexts.length - Math.ceil(tokenTexts.length / 8)), null, []);
  }
  const tokens = spec.source.tokens ?? 1024;
  const tokenTexts = ['<s>'];
  const needles: TextFacts['needles'][number][] = [];
  const question = ` Question: What are the secret numbers of the ${names.join(', the ')}? Answer:`.match(
    / ?[^ ]+/g,
  )!;
  const answer = values.flatMap((value) => [' ', ...value]);
  const body = tokens - question.length - answer.length;
  while (tokenTexts.length < body) {
    const next = needles.length;
    if (next < 4 && tokenTexts.length > (body * (next + 0.4)) / 4) {
      const start = tokenTexts.length;
      tokenTexts.push(
        ...` The secret number of the ${names[next]} is`.match(/ [^ ]+/g)!,
        ' ',
        ...values[next]!,
        '.',
      );
      needles.push({ start, end: tokenTexts.length, label: names[next]!, value: values[next]!, asked: true });
    } else {
      const at = tokenTexts.length;
      tokenTexts.push(at % 23 === 0 ? '.' : ` ${words[Math.floor(noise(at, 3) * words.length)]}`);
    }
  }
  tokenTexts.length = body;
  const answerStart = body + question.length;
  return facts([...tokenTexts, ...question, ...answer], body, answerStart, needles);
}

function facts(
  tokenTexts: string[],
  start: number,
  answerStart: number | null,
  needles: TextFacts['needles'],
): TextFacts {
  const end = tokenTexts.length;
  const saved = { text: tokenTexts.slice(1).join('') };
  return { tokens: end, tokenTexts, saved, queries: { start, end }, answerStart, needles, notices: [] };
}

export interface Synthetic {
  weight(layer: number, head: number, query: number, key: number): number;
  isKept(layer: number, query: number, key: number): boolean;
}

/** Weights with a sink, a local band, columns and the needles; a selection made of sinks, window and lots. */
export function synthetic(spec: StudySpec, text: TextFacts): Synthetic {
  const number = (name: string, otherwise: number) => {
    const value = spec.method.parameters[name];
    return typeof value === 'number' ? value : otherwise;
  };
  const sinks = number('initTokens', number('sinkTokens', 4));
  const local = number('localTokens', Math.floor(text.tokens / 8));
  const chunk = Math.max(1, number('chunkTokens', 128));
  const share = Math.min(
    1,
    number('selectedTokens', number('keepFraction', 0.25) * text.tokens) / text.tokens,
  );
  const needle = new Float32Array(text.tokens);
  for (const [index, part] of text.needles.entries()) needle.fill(index + 1, part.start, part.end);
  return {
    weight(layer, head, query, key) {
      if (key > query) return 0;
      const distance = query - key;
      const isQuestion = query >= text.queries.start;
      const column = noise(key, head, 1) > 0.97 ? 0.02 * noise(key, layer) : 0;
      const found = isQuestion && needle[key]! > 0 ? 0.06 * noise(layer, head, needle[key]!) ** 2 : 0;
      const sink = key === 0 ? 0.3 : key < 4 ? 0.02 : 0;
      const near = 0.25 * Math.exp(-distance / (1.5 + 40 * noise(head, layer)));
      const texture = (0.4 / (query + 1)) * noise(layer, head, key % 97, query % 13) ** 4;
      return Math.min(1, sink + near + column + found + texture + 1e-6);
    },
    isKept(layer, query, key) {
      const block = Math.floor(query / chunk) * chunk;
      if (key > query) return false;
      if (key < sinks || key >= block - local) return true;
      const place = needle[key]! > 0 && needle[key] !== 3 ? 0.5 : 1;
      return noise(layer, block, Math.floor(key / 6)) * place < share * 1.1;
    },
  };
}

export function syntheticTile(
  request: MapRequest,
  data: Synthetic,
): MapPicture & { readonly mean: Float32Array } {
  const { width, height } = request;
  const maximum = new Float32Array(width * height);
  const mean = new Float32Array(width * height);
  const excess = new Float32Array(width * height);
  const kept = new Float32Array(width * height);
  const rows = (request.rowEnd - request.rowStart) / height;
  const columns = (request.columnEnd - request.columnStart) / width;
  for (let y = 0; y < height; y++) {
    const query = Math.floor(request.rowStart + y * rows);
    const first = [0, 1, 2, 3].map((key) => data.weight(request.layer, request.head, query, key));
    const firstWeight = Math.min(1, firstWeightOf(first));
    for (let x = 0; x < width; x++) {
      const key = Math.floor(request.columnStart + x * columns);
      if (key > query) continue;
      const at = y * width + x;
      maximum[at] = data.weight(request.layer, request.head, query, key);
      mean[at] = maximum[at]! * 0.8;
      excess[at] = maximum[at]! / (key < FIRST_TOKENS ? MISSED_FIRST : missedFrom(firstWeight));
      kept[at] = data.isKept(request.layer, query, key) ? 1 : 0;
    }
  }
  return { ...request, maximum, mean, excess, kept, rowStep: 1 };
}

/** A tile's whole picture; lines outside of what is asked are left out. */
export function syntheticLines({ lineStart, lineEnd, ...tile }: TileWork, data: Synthetic): PooledLines {
  const { maximum, mean, excess } = syntheticTile(requestOf(tile), data);
  const lines = (pixels: Float32Array) => pixels.slice(lineStart * TILE_PIXELS, lineEnd * TILE_PIXELS);
  return { maximum: lines(maximum), mean: lines(mean), excess: lines(excess) };
}

export function syntheticKept(tile: TileAddress, data: Synthetic): Float32Array {
  return syntheticTile(requestOf(tile), data).kept!;
}

function requestOf({ layer, head, level, row, column }: TileAddress): MapRequest {
  const span = tileTokens(level);
  const [rowStart, columnStart] = [row * span, column * span];
  return {
    ...{ layer, head, width: TILE_PIXELS, height: TILE_PIXELS },
    ...{ rowStart, rowEnd: rowStart + span, columnStart, columnEnd: columnStart + span },
  };
}

const MIXED = KEY_FATES.indexOf('mixed');

export function syntheticRow(
  layer: number,
  head: number,
  query: number,
  spec: StudySpec,
  text: TextFacts,
): QueryRow {
  const data = synthetic(spec, text);
  const weights = Float32Array.from({ length: text.tokens }, (_, key) =>
    data.weight(layer, head, query, key),
  );
  const sum = weights.reduce((total, weight) => total + weight, 0) || 1;
  const shares = weights.map((weight) => weight / sum);
  const fates = Uint8Array.from({ length: text.tokens }, (_, key) => {
    if (key > query) return 0;
    // FreqKV drops nothing: what does not stand as itself is mixed.
    if (!data.isKept(layer, query, key)) return spec.method.id === 'freqkv' ? MIXED : 5;
    if (key < 16) return 3;
    if (query - key < 64) return 1;
    return query - key < 192 ? 2 : 4;
  });
  const scores = Float32Array.from(fates, (fate, key) =>
    fate < 4 ? Number.NaN : (fate === 4 ? 2 : -2) + noise(key),
  );
  return {
    method: spec.method,
    layer,
    head,
    query,
    positions: 'model',
    weights: shares,
    firstWeight: firstWeightOf(shares),
    fates,
    rule: { kind: 'scores', partitions: null, evictedAt: null },
    scores,
    secondary: null,
  };
}

const noRecall = ({ id, parameters }: MethodSpec): string | null =>
  id === 'freqkv' || id === 'lorc' ? noRecallReason(methodById(id), parameters) : null;

/** FreqKV's cache holds mixtures of tokens, LoRC's transformed ones: no recall. */
export function syntheticLayers(spec: StudySpec, text: TextFacts): LayerMeasurement[] {
  const layers = countedLayers(spec, text);
  const reason = noRecall(spec.method);
  if (reason === null) return layers;
  const none = { massRecall: null, ownMassRecall: null, topkRecall: null, topkChance: null };
  return layers.map((layer) => ({
    ...{ ...layer, ...none, reason },
    ...(spec.method.id === 'lorc' && { spectra: syntheticSpectra }),
    heads: layer.heads.map((head) => ({ ...head, ...none })),
  }));
}

const syntheticSpectra = {
  key: { values: [4, 3, 2, 1], rank: 2 },
  value: { values: [8, 4, 2, 1], rank: 3 },
};

function countedLayers(spec: StudySpec, text: TextFacts): LayerMeasurement[] {
  const kept = keptShare(spec, text);
  return Array.from({ length: syntheticModel.layers }, (_, layer) => {
    const heads = Array.from({ length: syntheticModel.queryHeads }, (_, head) => {
      const massRecall = Math.min(1, 0.84 + 0.16 * noise(layer, head, 5) * Math.sqrt(kept / 0.27));
      return {
        head,
        massRecall,
        ownMassRecall: massRecall * 0.99,
        topkRecall: massRecall * 0.7,
        topkChance: null,
        outputError: (1 - massRecall) * 0.8,
        outputErrorAsRun: 1 - massRecall,
      };
    });
    const massRecall = heads.reduce((sum, { massRecall }) => sum + massRecall, 0) / heads.length;
    return {
      layer,
      keptKeys: kept * (text.tokens - 30),
      visibleKeys: text.tokens - 30,
      keptShare: kept,
      massRecall,
      ownMassRecall: massRecall * 0.99,
      topkRecall: massRecall * 0.7,
      topkChance: null,
      topkRows: heads.length * (text.queries.end - text.queries.start),
      selectorRecall: 0.81,
      selectorRecallPerQuery: 0.74,
      outputError: (1 - massRecall) * 0.8,
      outputErrorAsRun: 1 - massRecall,
      outputErrorProjected: null,
      tiedAtCut: 2,
      heads,
    };
  });
}

function keptShare(spec: StudySpec, text: TextFacts): number {
  const { selectedTokens, localTokens, keepFraction } = spec.method.parameters;
  if (typeof keepFraction === 'number') return keepFraction;
  const own = Number(selectedTokens ?? text.tokens) + Number(localTokens ?? 0) + 80;
  return Math.min(1, own / text.tokens);
}

export function syntheticCost(spec: StudySpec, text: TextFacts): CostMeasurement {
  const density = keptShare(spec, text);
  return {
    density,
    fullAttentionOperations: 6_300_000,
    selectionOperations: 420_000,
    attentionOperations: 6_300_000 * density,
    onceOperations: 0,
    forwardOperationsFull: 13_400_000,
    forwardOperations: 7_100_000 + 420_000 + 6_300_000 * density,
    decodeReadBytesFull: 4_194_304,
    decodeReadBytes: 4_194_304 * density + 262_144,
    paperOperations: { full: 6_900_000, method: 300_000 + 6_900_000 * density },
  };
}

export const syntheticTime: TimeMeasurement = {
  pairs: 5,
  full: { milliseconds: 44.1, clock: 'wall' },
  method: { milliseconds: 18.4, clock: 'wall' },
  ratio: { median: 2.4, low: 2.1, high: 2.6 },
  operations: { full: 3.2e9, method: 1.9e9 },
};

export function syntheticFreeRun(spec: StudySpec, text: TextFacts): FreeRunMeasurement {
  const isTask = text.answerStart !== null;
  const density = keptShare(spec, text);
  const right = density > 0.4;
  const expected = values.join(', ');
  const answer = right ? expected : '48213, 90177, 33120, 61804';
  const part = { meanNats: 0.03, medianNats: 0.001, shareAbove: 0.05, top1Agreement: 0.98 };
  return {
    divergenceNats: 0.031,
    top1Agreement: 0.984,
    lossFullNats: 0.412,
    lossNats: 0.467,
    lossDifferenceNats: 0.055,
    divergenceByToken: Array.from(
      { length: text.queries.end - text.queries.start },
      (_, at) => noise(at) / 16,
    ),
    expectedAnswer: isTask ? expected : null,
    fullAnswer: isTask ? { text: expected, right: true } : null,
    answer: isTask ? { text: answer, right } : null,
    question: isTask ? { ...part, start: text.queries.start, end: text.answerStart! - 1 } : null,
    answerPart: isTask ? { ...part, start: text.answerStart! - 1, end: text.tokens - 1 } : null,
    generatedTexts: isTask ? { full: [' ', ...expected], method: [' ', ...answer] } : null,
    differsAt: isTask && !right ? { token: 1 + answer.indexOf('120'), written: '1', expected: '5' } : null,
    needles: isTask && spec.method.id !== 'freqkv' ? needlesKept(text, right) : null,
    time: syntheticTime,
  };
}

function needlesKept(text: TextFacts, isRight: boolean): NeedleKept[] {
  const { layers, queryHeads } = syntheticModel;
  return text.needles.map((_, needle) => ({
    digits: 5,
    kept: Array.from({ length: layers }, (_, layer) =>
      Array(queryHeads).fill(isRight || needle !== 2 ? 5 : layer === 6 ? 2 : 3),
    ),
  }));
}

const keeps = [0.03, 0.05, 0.08, 0.12, 0.18, 0.25, 0.35, 0.5, 0.65, 0.8, 0.9, 1];
const steepness: Readonly<Record<string, number>> = {
  oracle: 0.12,
  esa: 0.24,
  lagkv: 0.55,
  'streaming-llm': 0.7,
  random: 1,
};

export function syntheticSweep(spec: StudySpec): SweepCurve[] {
  const methods: { method: MethodSpec; current: boolean }[] = [
    { method: spec.method, current: true },
    ...spec.pinned.map((method) => ({ method, current: false })),
  ];
  return methods.map(({ method, current }) => ({
    method,
    current,
    points: keeps.map((keep) => {
      const reason = noRecall(method);
      if (reason !== null) {
        return { keep, kept: keep / 2, massRecall: null, layers: null, reason };
      }
      const massRecall = keep ** (steepness[method.id] ?? 0.4) * 0.999;
      if (method.id === 'esa' && keep < 0.16) {
        return { keep, kept: null, massRecall: null, layers: null, floor: 0.16 };
      }
      return { keep, kept: Math.min(1, keep + 0.03), massRecall, layers: Array(8).fill(massRecall) };
    }),
  }));
}

export function syntheticThumbnails(spec: StudySpec, text: TextFacts, size = 64): Thumbnails {
  const { layers, queryHeads: heads } = syntheticModel;
  const data = synthetic(spec, text);
  const maximum = new Float32Array(layers * heads * size * size);
  const cell = text.tokens / size;
  for (let at = 0; at < maximum.length; at++) {
    const key = at % size;
    const query = Math.floor(at / size) % size;
    const head = Math.floor(at / size ** 2) % heads;
    const layer = Math.floor(at / (size ** 2 * heads));
    if (key <= query)
      maximum[at] = data.weight(layer, head, Math.floor(query * cell), Math.floor(key * cell));
  }
  return { size, layers, heads, maximum, rowStep: 1 };
}
