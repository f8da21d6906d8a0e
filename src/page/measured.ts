/**
 * Values and what made them. A record is what one choice of study and method has measured; the store keeps the newest first, and
 * older ones only for the parts that newer ones do not have yet. No record ever holds a value of another choice, so no mean can
 * mix two methods, and whatever is shown, copied or exported can name what made it.
 */
import { fingerprint } from '../base/fingerprint';
import type { QueryRow } from '../measure/results';
import type { MethodSpec } from '../methods/method-spec';
import { methodKey } from '../methods/method-spec';
import type { ModelFacts } from '../study/facts';
import type { CurveAnswers, Measurements } from '../study/results';
import type { QueriesStart, SourceSpec, StudySpec } from '../study/spec';

/** What made a value. */
export interface MeasuredBy {
  readonly version: string;
  readonly model: string;
  /** Null until the model has said it. */
  readonly modelDigest: string | null;
  readonly source: SourceSpec;
  readonly queriesStart: QueriesStart;
  readonly startToken: boolean | null;
  readonly chatTemplate?: boolean;
  readonly method: MethodSpec;
}

export interface MeasuredRecord {
  readonly by: MeasuredBy;
  readonly origin: 'recorded' | 'live';
  /** Its run has ended by itself, without an error. */
  readonly isComplete: boolean;
  /** Layers of the model; a record with fewer is still running, or was cut short. */
  readonly layerCount: number;
  /** Null: nothing has arrived. */
  readonly measurements: Measurements | null;
  /** What the method had to assume, one sentence each. */
  readonly assumptions: readonly string[];
  readonly timing: Readonly<Record<string, number>>;
}

/** Parts that can be shown each by itself. */
export type MeasuredPart = 'layers' | 'cost' | 'freeRun' | 'sweep';

interface Shown<Value> {
  readonly value: Value;
  readonly by: MeasuredBy;
  /** Whether another choice than the present one made it. */
  readonly isStale: boolean;
  readonly queries: Measurements['queries'];
}

export type ShownPart<Part extends MeasuredPart> = Shown<NonNullable<Measurements[Part]>>;

const parts: readonly MeasuredPart[] = ['layers', 'cost', 'freeRun', 'sweep'];
const nothingMeasured: Measurements = {
  queries: { start: 0, end: 0 },
  layers: [],
  cost: null,
  freeRun: null,
  sweep: null,
};

/** What a value depends on. Pinned methods are not among it: every curve of a sweep names its own method. */
function choiceKey(choice: Choice): string {
  const { model, source, queriesStart, startToken, chatTemplate = false, method } = choice;
  const known = choiceKeys.get(choice);
  if (known !== undefined) return known;
  const key = fingerprint([model, source, queriesStart, startToken, chatTemplate, method]);
  choiceKeys.set(choice, key);
  return key;
}

/** Choices never change; an own text would be long to spell at every look. */
const choiceKeys = new WeakMap<Choice, string>();

export type Choice = Pick<
  StudySpec,
  'model' | 'source' | 'queriesStart' | 'startToken' | 'chatTemplate' | 'method'
>;

/** The records with that of `study` in front: what it has measured earlier stays, nothing of another choice enters it. */
export function beginRecord(
  records: readonly MeasuredRecord[],
  study: Choice,
  version: string,
): MeasuredRecord[] {
  const { model, source, queriesStart, startToken, chatTemplate, method } = study;
  const same = records.find((record) => record.origin === 'live' && isBy(record, study));
  const first: MeasuredRecord = same ?? {
    by: {
      ...{ version, model, modelDigest: null, source, queriesStart, startToken, method },
      ...(chatTemplate && { chatTemplate }),
    },
    origin: 'live',
    isComplete: false,
    layerCount: 0,
    measurements: null,
    assumptions: [],
    timing: {},
  };
  return prune([first, ...records.filter((record) => record !== same)]);
}

/** The records with something added to the first, which is that of the current run. */
export function changeRecord(
  [first, ...others]: readonly MeasuredRecord[],
  change: (record: MeasuredRecord) => Partial<MeasuredRecord>,
): MeasuredRecord[] {
  return first ? prune([{ ...first, ...change(first) }, ...others]) : [];
}

/** The record's measurements with a part that has arrived. */
export function withPart({ measurements }: MeasuredRecord, part: Partial<Measurements>): Measurements {
  return { ...(measurements ?? nothingMeasured), ...part };
}

/** The measurements with what is known of the answers of a curve's points. */
export function withAnswers(
  measurements: Measurements,
  { method, rights }: Pick<CurveAnswers, 'method' | 'rights'>,
): Measurements {
  const rightAt = new Map(rights.map(({ keep, right }) => [keep, right]));
  const sweep = measurements.sweep?.map((curve) =>
    methodKey(curve.method) === methodKey(method)
      ? {
          ...curve,
          points: curve.points.map((point) => {
            const right = rightAt.get(point.keep);
            return right === undefined ? point : { ...point, right };
          }),
        }
      : curve,
  );
  return { ...measurements, sweep: sweep ?? null };
}

/** The records that are of the newest one's text, whatever its queries. */
export function recordsOfText(records: readonly MeasuredRecord[]): MeasuredRecord[] {
  const textOf = ({ by }: MeasuredRecord): string =>
    fingerprint([by.model, by.source, by.startToken, by.chatTemplate ?? false]);
  return records.filter((record) => textOf(record) === textOf(records[0]!));
}

/** A part as the present choice measured it; until it has, as another did, which is marked. Null: nobody has. */
export function shownPart<Part extends MeasuredPart>(
  records: readonly MeasuredRecord[],
  choice: Choice,
  part: Part,
): ShownPart<Part> | null {
  const present = records.filter((record) => isBy(record, choice));
  const others = records.filter((record) => !isBy(record, choice));
  const ordered = [...present, ...others];
  const record =
    ordered.find((candidate) => hasWhole(candidate, part)) ??
    ordered.find((candidate) => has(candidate, part));
  if (!record?.measurements) return null;
  return {
    value: record.measurements[part] as NonNullable<Measurements[Part]>,
    by: record.by,
    isStale: isStale(record.by, choice),
    queries: record.measurements.queries,
  };
}

const NO_LAYERS: Measurements['layers'] = [];

/** Layers that the present choice has measured while not all are there. */
export function arrivingLayers(records: readonly MeasuredRecord[], choice: Choice): Measurements['layers'] {
  const record = records.find(
    (candidate) => isBy(candidate, choice) && has(candidate, 'layers') && !hasWhole(candidate, 'layers'),
  );
  return record?.measurements?.layers ?? NO_LAYERS;
}

/** What the present choice has measured together with all layers; null: some are still to come, or never came. */
export function measuredWithLayers(records: readonly MeasuredRecord[], choice: Choice): Measurements | null {
  return records.find((record) => isBy(record, choice) && hasWhole(record, 'layers'))?.measurements ?? null;
}

/** What the present choice has measured, and nothing else. Null: nothing. */
export function presentMeasurements(records: readonly MeasuredRecord[], choice: Choice): Measurements | null {
  const present = records.filter((record) => isBy(record, choice) && record.measurements);
  const first = present[0]?.measurements;
  if (!first) return null;
  const all: { -readonly [Name in keyof Measurements]: Measurements[Name] } = { ...first };
  for (const part of parts) {
    const record =
      present.find((candidate) => hasWhole(candidate, part)) ??
      present.find((candidate) => has(candidate, part));
    if (record?.measurements) Object.assign(all, { [part]: record.measurements[part] });
  }
  return all;
}

/** 'live' once a run of the present choice has ended well; until then null, or 'recorded' where that is what is shown. */
export function presentOrigin(
  records: readonly MeasuredRecord[],
  choice: Choice,
): 'recorded' | 'live' | null {
  const present = records.filter((record) => isBy(record, choice) && record.isComplete);
  if (present.some(({ origin }) => origin === 'live')) return 'live';
  return present.length > 0 ? 'recorded' : null;
}

/** The newest record of the present choice. */
export function presentRecord(records: readonly MeasuredRecord[], choice: Choice): MeasuredRecord | null {
  return records.find((record) => isBy(record, choice)) ?? null;
}

/** Whether another choice than this one made a value. */
export function isStale(by: MeasuredBy, choice: Choice): boolean {
  return choiceKey(by) !== choiceKey(choice);
}

function isBy({ by }: MeasuredRecord, choice: Choice): boolean {
  return !isStale(by, choice);
}

function has({ measurements }: MeasuredRecord, part: MeasuredPart): boolean {
  if (!measurements) return false;
  return part === 'layers' ? measurements.layers.length > 0 : measurements[part] !== null;
}

function hasWhole(record: MeasuredRecord, part: MeasuredPart): boolean {
  if (!has(record, part)) return false;
  return part !== 'layers' || record.measurements!.layers.length >= record.layerCount;
}

/** The first, whatever it has, and of the others those that are shown for some part: the newest whole one, or the newest. */
function prune(records: readonly MeasuredRecord[]): MeasuredRecord[] {
  const needed = new Set<MeasuredRecord | undefined>([records[0]]);
  for (const part of parts) {
    needed.add(
      records.find((record) => hasWhole(record, part)) ?? records.find((record) => has(record, part)),
    );
  }
  return records.filter((record) => needed.has(record));
}

/** What made a row: the engine's method of the moment, which after a cancelled run is an earlier one. Null without a row. */
export function rowBy(
  {
    row,
    model,
    textOf,
  }: {
    readonly row: QueryRow | null;
    readonly model: ModelFacts | null;
    /** Of the text that is shown, which after a change of source is the one before for a while. */
    readonly textOf: Omit<Choice, 'method'> | null;
  },
  version: string,
): MeasuredBy | null {
  return row && textOf && { ...textOf, version, modelDigest: model?.digest ?? null, method: row.method };
}
