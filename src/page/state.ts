/** Everything the page shows. `session` is what the person decides; the rest is what the engine said about it. */

import type { ArrivalQuestion } from '../arrival/arrivals';
import { isGivenModel } from '../arrival/model-name';
import type { QueryRow } from '../measure/results';
import type { ParameterContext } from '../methods/parameters';
import { parameterContext } from '../study/context';
import { BUNDLED_MODEL } from '../study/default-study';
import type { BackendFacts, ModelFacts, Progress, TextFacts } from '../study/facts';
import { usualQuery } from '../study/facts';
import type { StudySpec } from '../study/spec';
import { textKey } from '../study/spec';
import type { MapPicture, Thumbnails } from '../tiles/picture';
import type { Session } from './choices';
import type { MeasuredRecord } from './measured';

/** A cell under the pointer or the keyboard: a query and one of its keys. `key` null: the whole row. */
export interface Cell {
  readonly query: number;
  readonly key: number | null;
}

/** What a text depends on. */
export type TextChoice = Pick<StudySpec, 'model' | 'source' | 'queriesStart' | 'startToken' | 'chatTemplate'>;

interface Notice {
  readonly id: number;
  readonly sentence: string;
  /** What is shown is not what the link said: such sentences stand first, and each in full view. */
  readonly isChange: boolean;
}

export interface PageState {
  readonly session: Session;
  readonly backend: BackendFacts;
  readonly model: ModelFacts | null;
  /** Models that may be opened: the bundled one, those that the person has agreed to or given on this page, and those that are stored. */
  readonly agreedModels: ReadonlySet<string>;
  /** What the engine asks before it fetches more; about the session's model. */
  readonly asked: ArrivalQuestion | null;
  readonly text: TextFacts | null;
  /** Which source `text` was read from (textKeyOf); after a change of source it lags until the new text is there. */
  readonly textKey: string | null;
  /** The same in full, for those who name what was made of the text. */
  readonly textOf: TextChoice | null;
  /** What was measured, each value with what made it, newest first (measured.ts). */
  readonly records: readonly MeasuredRecord[];
  readonly thumbnails: Thumbnails | null;
  /** What the chosen query sees; may lag behind the choice while it is fetched: `row.method` says whose it is. */
  readonly row: QueryRow | null;
  /** Recorded map of the opening view, until live tiles come. */
  readonly snapshotMap: MapPicture | null;
  /** Counts up when tiles or rows asked before may have changed. */
  readonly pictureVersion: number;
  readonly running: boolean;
  readonly progress: Progress | null;
  /** Answers of the sweep's points that are being run, after the study. */
  readonly answering: { readonly done: number; readonly total: number } | null;
  /** The run failed, was cancelled, or could not start: one sentence. */
  readonly error: string | null;
  /** A parameter is out of range: one sentence; nothing runs until it is put right. */
  readonly problem: string | null;
  readonly notices: readonly Notice[];
  /** Ids of methods that were brought as files, in the order in which they came. */
  readonly imported: readonly string[];
  readonly cell: Cell | null;
  /** Which way to a model the form shows that chooses one; null: it is closed. */
  readonly modelForm: ModelFormTab | null;
}

export type ModelFormTab = 'bundled' | 'hub' | 'files';

const startingBackend: BackendFacts = {
  name: 'starting',
  description: 'starting',
  reason: 'The page is looking for a graphics processor.',
};

export function initialState(session: Session): PageState {
  return {
    session,
    ...nothingKnown,
    backend: startingBackend,
    agreedModels: new Set([BUNDLED_MODEL]),
    pictureVersion: 0,
    running: false,
    progress: null,
    answering: null,
    error: null,
    problem: null,
    notices: [],
    imported: [],
    cell: null,
    modelForm: null,
  };
}

/** The state without what the engine said, for another model: none of it is about that one. */
export const nothingKnown = {
  model: null,
  asked: null,
  text: null,
  textKey: null,
  textOf: null,
  records: [],
  thumbnails: null,
  row: null,
  snapshotMap: null,
} as const satisfies Partial<PageState>;

/** What a person is asked before bytes are fetched from an address, from another host than it names, or a second time; or for files. */
export type DownloadQuestion =
  | ArrivalQuestion
  | { readonly kind: 'model'; readonly address: string }
  | { readonly kind: 'given'; readonly address: string };

/** Set while the person has not agreed to a download or given files; nothing runs until then. Null: all is well. */
export function questionOf({
  session,
  agreedModels,
  asked,
}: Pick<PageState, 'session' | 'agreedModels' | 'asked'>): DownloadQuestion | null {
  const { model } = session;
  if (!agreedModels.has(model)) {
    return isGivenModel(model) ? { kind: 'given', address: model } : { kind: 'model', address: model };
  }
  return asked?.address === session.model ? asked : null;
}

/** What a text depends on. */
export function textKeyOf(session: TextChoice): string {
  return textKey(session);
}

/** The part of the session that a text depends on. */
export function textChoice({
  model,
  source,
  queriesStart,
  startToken,
  chatTemplate,
}: TextChoice): TextChoice {
  return { model, source, queriesStart, startToken, ...(chatTemplate && { chatTemplate }) };
}

/** Whether the text that is there is the one that the session asks for, and not the one before it. */
export function isTextOf({ session, textKey }: PageState): boolean {
  return textKey === null || textKey === textKeyOf(session);
}

/** What the session's parameters may depend on, as far as it is known. */
export function contextOf({ session, model, text, textKey }: PageState): ParameterContext {
  return parameterContext(session.source, model, textKey === textKeyOf(session) ? text : null);
}

/** Tokens of the session's text: those that were counted, until then what was asked for or an estimate. Defaults follow `contextOf`'s. */
export function textLength(state: PageState): number {
  return countedLength(state) ?? contextOf(state).tokens;
}

/** Null until the session's text has been counted. Where its queries begin makes it no longer. */
export function countedLength({ session, text, textKey, textOf }: PageState): number | null {
  const isSame =
    textOf?.source === session.source &&
    textOf.model === session.model &&
    textOf.startToken === session.startToken &&
    textOf.chatTemplate === session.chatTemplate;
  return text && (isSame || textKey === textKeyOf(session)) ? text.tokens : null;
}

/** The query that the token strip and the map's cross-hair show. Null while no text is there. */
export function chosenQuery({ session, text }: Pick<PageState, 'session' | 'text'>): number | null {
  if (!text) return session.view.query;
  const last = text.tokens - 1;
  return Math.min(last, Math.max(0, session.view.query ?? usualQuery(text)));
}
