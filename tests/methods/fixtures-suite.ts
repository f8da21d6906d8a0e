/**
 * Every reference run of every method that is here, on one backend. What a run's tensors are follows from their names
 * (tests/fixtures/README.md): kept sets, scores, mass and outputs are compared here, for any method; the others by a file in
 * tests/methods/own-comparisons/. With WRITE_AGREEMENT=1 the differences go to tests/fixtures/agreement/.
 */
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Ops } from '../../gpu/ops';
import { headMajorRows } from '../../gpu/rows';
import {
  type KeptKeys,
  readKept,
  readScoreRows,
  readScores,
  setOfHead,
  visibleTokens,
} from '../../src/measure/selection-reader';
import { contextOf, startTraceRun, type TraceRun } from '../../src/measure/trace-run';
import { methodById } from '../../src/methods';
import type { QueryBlock, Selection } from '../../src/methods/method';
import { resolveParameters } from '../../src/methods/parameters';
import { attendSelection } from '../../src/model/decoder/attend';
import type { LayerTrace, Trace } from '../../src/trace/trace';
import { type Agreement, compareChosen, LEAST_OUTSIDE, largestMagnitude } from './agreement';
import {
  expected,
  expectedKept,
  expectedScores,
  fixtureText,
  inputs,
  knownRuns,
  runs,
  shape,
  tensorsOf,
} from './fixture';
import { type OwnComparison, ownComparisonOf } from './own-comparison';

/** Queries of which the fixtures have mass and outputs. */
const LAST_QUERIES = 24;

/** How far a run is from its reference. */
export interface RunAgreement {
  /** Largest difference of scores, as docs/contracts.md counts it; null: there are none to compare. */
  scores: number | null;
  /** Sets compared, candidates with a score in them, and those of these inside the band. */
  sets: number;
  candidates: number;
  inside: number;
  /** Tensors and sets with keys inside the band. */
  insideSets: string[];
  /** Largest difference of the share of attention; of outputs, relative to the largest; of what a run compares by itself. */
  others: Record<string, number>;
}

/** What a block showed its last query. */
interface Seen {
  readonly kept: KeptKeys;
  readonly selection: Pick<Selection, 'candidates' | 'segmentTokens'>;
  readonly tokensPerScore: number;
  readonly scoreStart: number;
  /** By token, and as they are. */
  readonly scores: Float32Array[] | null;
  readonly rawScores: Float32Array[] | null;
  readonly secondary: Float32Array[] | null;
}

const known = knownRuns();

/** `tolerance` as in tests/methods/agreement.ts. */
export function describeFixtures(backend: string, createOps: () => Promise<Ops>, tolerance: number): void {
  describe(`method fixtures on ${backend}`, () => {
    let ops: Ops;
    const texts = new Map<number, Trace>();
    const results = new Map<string, RunAgreement>();
    const textOf = (tokens: number): Trace => {
      const text = texts.get(tokens) ?? fixtureText(ops, tokens);
      texts.set(tokens, text);
      return text;
    };

    beforeAll(async () => {
      ops = await createOps();
    });
    afterAll(() => {
      ops?.destroy();
      if (process.env.WRITE_AGREEMENT) writeAgreement(backend, results);
    });

    it.each(known.filter((name) => !comparedElsewhere(name)))('%s', async (name) => {
      const fixture = new RunComparison(name, textOf, tolerance);
      await fixture.compare();
      results.set(name, fixture.result);
      expect(fixture.faults).toEqual([]);
      expect(fixture.uncompared(), 'tensors that nothing compares; see own-comparison.ts').toEqual([]);
    });

    const unknown = Object.keys(runs).filter((name) => !known.includes(name));
    it(`leaves out ${unknown.length} runs of methods or parameters that are not here, and no other`, () => {
      const ids = [...new Set(unknown.map((name) => runs[name]!.keyhole.id))];
      console.info(`${unknown.length} runs of methods or parameters that are not here: ${ids.join(', ')}`);
      const elsewhere = known.filter((name) => comparedElsewhere(name));
      for (const name of elsewhere)
        expect(existsSync(new URL(comparedElsewhere(name)!, import.meta.url))).toBe(true);
      expect([...results.keys(), ...elsewhere].sort()).toEqual([...known].sort());
    });
  });
}

/** The test beside this one that compares a run, where none of it can be compared here. */
function comparedElsewhere(name: string): string | undefined {
  return ownComparisonOf(name)?.comparedIn;
}

/** One run against its reference. */
class RunComparison {
  readonly faults: string[] = [];
  readonly result: RunAgreement = {
    ...{ scores: null, sets: 0, candidates: 0, inside: 0, insideSets: [], others: {} },
  };
  readonly #name: string;
  readonly #textOf: (tokens: number) => Trace;
  readonly #own: OwnComparison | null;
  readonly #tolerance: number;
  readonly #tensors: readonly { readonly name: string; readonly kind: string }[];
  readonly #compared = new Set<string>();

  constructor(name: string, textOf: (tokens: number) => Trace, tolerance: number) {
    this.#name = name;
    this.#textOf = textOf;
    this.#own = ownComparisonOf(name);
    this.#tolerance = Math.max(tolerance, this.#own?.tolerance ?? 0);
    const own = this.#own?.tensors ?? [];
    this.#tensors = tensorsOf(name).filter(({ kind }) => !own.includes(kind));
  }

  uncompared(): string[] {
    return this.#tensors.map(({ name }) => name).filter((name) => !this.#compared.has(name));
  }

  async compare(): Promise<void> {
    const { tokens } = shape;
    const text = this.#textOf(tokens);
    const { model, prefillTokens } = runs[this.#name]!;
    const { method, parameters } = this.#methodOn(text);
    if (this.#own?.compare) {
      const report = (what: string, difference: number): void => this.#report(what, difference);
      const fail = (...faults: string[]): void => void this.faults.push(...faults);
      const about = { name: this.#name, ops: text.ops, text, method, parameters, tolerance: this.#tolerance };
      await this.#own.compare({ ...about, report, fail });
    }
    // Of another text than the capture only such a file knows.
    if (model !== undefined || this.#tensors.length === 0) return;
    const { evicts } = method.traits(parameters);
    const beforeLast = this.#own?.evictAt ?? prefillTokens ?? tokens - LAST_QUERIES;
    const isOnePass = evicts && beforeLast === tokens;
    if (evicts) {
      await this.#visit(text, tokens, { kept: 'kept', hasLastQueries: isOnePass });
      for (const early of new Set(this.#matching(/^kept_after_(\d+)\./).map(([, count]) => Number(count))))
        await this.#visit(this.#textOf(early), early, { kept: `kept_after_${early}` });
    }
    // What is read after a prefill is read token by token, as an answer is.
    const read = prefillTokens ? { ...text, answerStart: prefillTokens } : text;
    if (!isOnePass)
      await this.#visit(read, beforeLast, { kept: evicts ? null : 'kept', hasLastQueries: true });
    const { candidates, inside } = this.result;
    if (candidates - inside < (this.#own?.leastOutside ?? LEAST_OUTSIDE) * candidates)
      this.faults.push(`${inside} of ${candidates} candidates lie inside the band, and prove nothing`);
  }

  #methodOn(text: Trace) {
    const { id, params } = runs[this.#name]!.keyhole;
    const known = methodById(id);
    const method = this.#own?.asReference?.(known) ?? known;
    return { method, parameters: resolveParameters(method, params, contextOf(text)) };
  }

  #matching(pattern: RegExp): RegExpExecArray[] {
    return this.#tensors.flatMap(({ name }) => {
      const match = pattern.exec(name);
      return match ? [match] : [];
    });
  }

  #has(name: string): boolean {
    return this.#tensors.some((tensor) => tensor.name === name);
  }

  #report(what: string, difference: number): void {
    const { others } = this.result;
    others[what] = Math.max(others[what] ?? 0, difference);
  }

  /** Runs over all layers, evicting at `evictAt`, and compares what the reference has of it under the name `kept`. */
  async #visit(
    text: Trace,
    evictAt: number,
    { kept: tensor, hasLastQueries = false }: { kept: string | null; hasLastQueries?: boolean },
  ): Promise<void> {
    const { method, parameters } = this.#methodOn(text);
    const started = await startTraceRun(text, method, parameters, evictAt);
    try {
      const { tokens } = text;
      // What stays for a next token; methods that choose anew show it in their last block.
      const after = started.traits.evicts ? [{ start: tokens, end: tokens }] : [];
      const blocks = [...started.blocks, ...after];
      if (this.#has('blocks') && tensor === 'kept') {
        this.#compared.add('blocks');
        const spans = started.blocks.flatMap(({ start, end }) => [start, end]);
        if (String(spans) !== String([...expected.int32(`${this.#name}.blocks`)]))
          this.faults.push(`reads the text in the blocks ${spans}`);
      }
      const wanted = [tensor, tensor === 'kept' && 'score', ...(hasLastQueries ? ['mass', 'output'] : [])];
      for (const layer of text.layerTraces) {
        if (!wanted.some((name) => this.#has(`${name}.${layer.layer}`))) continue;
        for (const [b, block] of blocks.entries()) {
          const input = started.inputOf(layer, block);
          const selection = started.run.select(input);
          const attended = await this.#attend(text, started, layer, block, selection, hasLastQueries);
          started.run.attended?.(input, selection, attended);
          if (attended) text.ops.release(attended.buffer);
          const isLast = b === blocks.length - 1;
          const ofBlock = `kept.${layer.layer}.${b}`;
          if (tensor !== null && (isLast || this.#has(ofBlock))) {
            const seen = await seenBy(text, selection, setsOf(started, text));
            if (isLast) this.#compareChosen(`${tensor}.${layer.layer}`, seen, block.end, tensor === 'kept');
            if (this.#has(ofBlock)) this.#compareChosen(ofBlock, seen, block.end, false);
          }
          text.ops.release(...selection.owned);
          await text.ops.pace();
        }
      }
      await started.checkScores();
    } finally {
      started.dispose();
    }
  }

  /** Attention of the block where the reference has queries in it, compared; its log-sum-exp, to be released, or null. */
  async #attend(
    text: Trace,
    started: TraceRun,
    recorded: LayerTrace,
    block: QueryBlock,
    selection: Selection,
    hasLastQueries: boolean,
  ) {
    const { layer } = recorded;
    const [mass, output] = [`mass.${layer}`, `output.${layer}`].map((name) =>
      this.#has(name) ? name : null,
    );
    if (!hasLastQueries || (!mass && !output) || block.end === block.start) return null;
    const [, count] = expected.shape(`${this.#name}.${mass ?? output}`);
    if (block.end <= text.tokens - count!) return null;
    const { ops, queryHeads: H, headDimension: d } = text;
    const rows = block.end - block.start;
    const buffer = ops.allocate('f32', H * rows * d, 'output');
    const lambda = ops.allocate('f32', H * rows, 'log-sum-exp');
    const logSumExp = { buffer: lambda, offset: 0, headStride: rows };
    const out = headMajorRows(buffer, H, rows, d);
    const input = started.inputOf(recorded, block);
    if (started.run.attend) started.run.attend(input, selection, out, logSumExp);
    else attendSelection(ops, input, selection, text.scores, out, logSumExp);
    const kept = await readKept(ops, selection, setsOf(started, text));
    const first = Math.max(block.start, text.tokens - count!);
    if (mass) this.#compareMass(mass, kept, { start: first, end: block.end });
    if (output) {
      const wanted = expected.float32(`${this.#name}.${output}`);
      const given = await ops.readFloats(buffer);
      let worst = 0;
      for (let head = 0; head < H; head++)
        for (let query = first; query < block.end; query++)
          for (let c = 0; c < d; c++) {
            const at = (head * count! + query - (text.tokens - count!)) * d + c;
            const own = given[(head * rows + query - block.start) * d + c]!;
            worst = Math.max(worst, Math.abs(own - wanted[at]!));
          }
      this.#limit(output, 'output', worst / largestMagnitude([wanted]));
    }
    ops.release(buffer);
    return logSumExp;
  }

  #compareMass(tensor: string, kept: KeptKeys, queries: QueryBlock): void {
    const { queryHeads: H, tokens: T } = shape;
    const wanted = expected.float32(`${this.#name}.${tensor}`);
    const count = wanted.length / H;
    const attention = inputs.float32(`attention.${tensor.split('.')[1]}`);
    let worst = 0;
    for (let head = 0; head < H; head++) {
      for (let query = queries.start; query < queries.end; query++) {
        let sum = 0;
        for (const token of visibleTokens(kept, setOfHead(kept.sets, head, H), query + 1))
          sum += attention[(head * T + query) * T + token]!;
        worst = Math.max(worst, Math.abs(sum - wanted[head * count + query - (T - count)]!));
      }
    }
    this.#limit(tensor, 'mass', worst);
  }

  #limit(tensor: string, what: string, difference: number): void {
    this.#compared.add(tensor);
    this.#report(what, difference);
    if (!(difference <= this.#tolerance)) this.faults.push(`${tensor} differs by ${difference}`);
  }

  #compareChosen(tensor: string, seen: Seen, end: number, hasScores: boolean): void {
    const { layer } = /\.(?<layer>\d+)/.exec(tensor)!.groups!;
    const scoreTensor = `score.${layer}`;
    const isScored = hasScores && this.#has(scoreTensor);
    if (!this.#has(tensor) && !isScored) return;
    this.#compared.add(tensor);
    const kept = seen.kept.sets.map((_, set) => [...visibleTokens(seen.kept, set, end)]);
    const wanted = this.#has(tensor) ? expectedKept(`${this.#name}.${tensor}`) : kept;
    const reference = isScored ? expectedScores(`${this.#name}.${scoreTensor}`) : null;
    if (isScored) this.#compared.add(scoreTensor);
    const { tokensPerScore: unit } = seen;
    const isByUnit = reference !== null && reference[0]!.length !== end;
    if (isByUnit && seen.rawScores?.[0]?.length !== reference[0]!.length) {
      this.faults.push(
        `${scoreTensor} scores ${reference[0]!.length} units, not ${seen.rawScores?.[0]?.length}`,
      );
      return;
    }
    const inUnits = (tokens: readonly number[]): number[] =>
      isByUnit
        ? [...new Set(tokens.map((token) => Math.floor((token - seen.scoreStart) / unit)))]
        : [...tokens];
    const { candidates, segmentTokens } = seen.selection;
    const agreement = compareChosen(
      { kept: kept.map(inUnits), scores: isByUnit ? seen.rawScores : seen.scores },
      { kept: wanted.map(inUnits), scores: reference },
      {
        tolerance: this.#tolerance,
        candidates: isByUnit
          ? {
              start: Math.floor((candidates.start - seen.scoreStart) / unit),
              end: Math.ceil((candidates.end - seen.scoreStart) / unit),
            }
          : candidates,
        ...(segmentTokens ? { segments: { start: seen.scoreStart, tokens: segmentTokens } } : {}),
        breaksTies: this.#own?.breaksTies ?? false,
        ...(seen.secondary ? { secondary: seen.secondary } : {}),
        // Judged of the whole run; a tensor of which all lie inside fails by itself.
        leastOutside: 0.01,
      },
    );
    this.#add(tensor, agreement, wanted.length);
  }

  #add(tensor: string, { scores, candidates, inside, insideBySet, faults }: Agreement, sets: number): void {
    const { result } = this;
    if (scores !== null) result.scores = Math.max(result.scores ?? 0, scores);
    result.sets += sets;
    result.candidates += candidates;
    result.inside += inside;
    result.insideSets.push(...insideBySet.map(({ set, keys }) => `${tensor}, set ${set}: ${keys}`));
    this.faults.push(...faults.map((fault) => `${tensor}, ${fault}`));
  }
}

function setsOf({ traits }: TraceRun, text: Trace): number {
  return { layer: 1, kvHead: text.keyValueHeads, queryHead: text.queryHeads }[traits.sets];
}

async function seenBy({ ops, tokens }: Trace, selection: Selection, sets: number): Promise<Seen> {
  const { candidates, score, segmentTokens } = selection;
  const [kept, scores, secondary, rawScores] = await Promise.all([
    readKept(ops, selection, sets),
    readScores(ops, selection, tokens),
    readScores(ops, selection, tokens, 'secondary'),
    score && readScoreRows(ops, score.rows),
  ]);
  return {
    ...{ kept, scores, secondary, rawScores },
    selection: { candidates, ...(segmentTokens === undefined ? {} : { segmentTokens }) },
    tokensPerScore: score?.tokensPerScore ?? 1,
    scoreStart: score?.scoreStart ?? 0,
  };
}

/** One file per method, so that work on two of them does not meet. */
export function writeAgreement(backend: string, results: ReadonlyMap<string, RunAgreement>): void {
  const folder = new URL('../fixtures/agreement/', import.meta.url);
  mkdirSync(folder, { recursive: true });
  for (const id of new Set([...results.keys()].map((name) => runs[name]!.keyhole.id))) {
    const file = new URL(`${id}.${backend.toLowerCase()}.json`, folder);
    // Runs that were left out by a filter stay as they are.
    const before: Record<string, unknown> = existsSync(file) ? JSON.parse(readFileSync(file, 'utf8')) : {};
    const lines = Object.keys(runs)
      .filter((name) => runs[name]!.keyhole.id === id && (results.has(name) || name in before))
      .map(
        (name) => `  ${JSON.stringify(name)}: ${JSON.stringify(results.get(name) ?? before[name], rounded)}`,
      );
    writeFileSync(file, `{\n${lines.join(',\n')}\n}\n`);
  }
}

/** Two digits of a difference are enough. */
function rounded(_key: string, value: unknown): unknown {
  return typeof value === 'number' && !Number.isInteger(value) ? Number(value.toPrecision(2)) : value;
}
