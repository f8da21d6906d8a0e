/**
 * The link: everything after "#" in the address. One table of keys makes both directions; each key is read on its own, so
 * that a bad one costs itself and one notice, never the view.
 *
 *   v        version of the program that made the link
 *   model    bundled, or a folder's address; "@" and the digest of the weights behind it
 *   text     own text, compressed (compress.ts);   task, sample: the id of one;   length, depth, seed: of these
 *   start    1 or 0: with the model's start token before the text, or without; else as the tokenizer has it
 *   queries  first query of the numbers, where it is not the source's own
 *   method   id;   p.<parameter>: its parameters;   pin: the pinned methods with theirs
 *   layer, head, query, zoom, mode, split, pooling, positions, theme: the view;   backend: read, and never shared
 *   z        a sum over what stands before it, last: a link that was cut on its way has none
 */

import { quote, shorten } from '../../base/quote';
import { isUserError, UserError } from '../../base/user-error';
import type { Method } from '../../methods/method';
import type { MethodSpec } from '../../methods/method-spec';
import type { ParameterContext, ParameterValue } from '../../methods/parameters';
import { BUNDLED_MODEL, DEFAULT_METHOD_ID, defaultPinned, type FindMethod } from '../../study/default-study';
import { LONGEST_TEXT_TOKENS } from '../../study/limits';
import type { SourceSpec } from '../../study/spec';
import type { MapRegion } from '../../tiles/grid';
import {
  defaultSession,
  defaultView,
  type MapMode,
  mapModes,
  type Pooling,
  type PositionChoice,
  poolings,
  positionChoices,
  type Session,
  type Theme,
  themes,
  type View,
} from '../choices';
import { fillParameters } from '../dependent-defaults';
import { LARGEST_SEED, MOST_LAYERS, SHORTEST_TASK_TOKENS } from '../limits';
import { packText, unpackText } from './compress';
import { readModelAddress } from './model-address';
import { joinPairs, type LinkPair, MARK_LENGTH, markOf, splitPairs, unescapeOnce } from './text';
import {
  readDepth,
  readOneOf,
  readParameter,
  readPart,
  readPinned,
  readWhole,
  readZoom,
  writeParameter,
  writePinned,
  writeZoom,
} from './values';

export type BackendChoice = 'auto' | 'webgpu' | 'cpu';

/** What a reader has to know of the page it reads for. */
export interface LinkEnvironment {
  readonly version: string;
  readonly findMethod: FindMethod;
  readonly methodIds: readonly string[];
  readonly taskIds: readonly string[];
  readonly sampleIds: readonly string[];
  contextOf(source: SourceSpec): ParameterContext;
}

export interface LinkReading {
  readonly session: Session;
  readonly backend: BackendChoice;
  /** Digest of the weights that the link was made with; null: the link does not say. */
  readonly digest: string | null;
  /** Version of the program that made the link; null: the link does not say. */
  readonly version: string | null;
  /** Methods of the session whose kept fraction the link names and means as before 0.2.0 (translateKeepFraction). */
  readonly oldFractions: readonly MethodSpec[];
  /** Whether the link itself named parameters; otherwise they are defaults that may still follow the text's length. */
  readonly namesParameters: boolean;
  /** Sentences: one for each bad key, one for all unknown ones, one for another version. */
  readonly notices: readonly string[];
  /** Those of them after which the study or the place shown is another than the link meant; they stand first. */
  readonly changes: readonly string[];
}

interface Draft {
  version?: string;
  model?: { address: string; digest: string | null };
  text?: string;
  task?: string;
  sample?: string;
  length?: number;
  depth?: 'spread' | number;
  seed?: number;
  start?: boolean;
  queries?: number;
  method?: Method;
  layer?: number;
  head?: number;
  query?: number;
  zoom?: MapRegion;
  mode?: MapMode;
  split?: number;
  pooling?: Pooling;
  theme?: Theme;
  positions?: PositionChoice;
  backend?: BackendChoice;
}

type Readers = {
  readonly [Key in keyof Required<Draft>]: (text: string) => Promise<Draft[Key]> | Draft[Key];
};

const PARAMETER_PREFIX = 'p.';
const MARK_KEY = 'z';
const LARGEST_INDEX = 1_000_000;
/** Without one of these it is another study. */
const decisiveKeys: ReadonlySet<string> = new Set(['model', 'text', 'task', 'sample', 'method']);

function readersFor(environment: LinkEnvironment): Readers {
  return {
    version: (text) => text,
    model: readModel,
    text: unpackText,
    task: (text) => readOneOf(text, environment.taskIds),
    sample: (text) => readOneOf(text, environment.sampleIds),
    length: (text) => readWhole(text, SHORTEST_TASK_TOKENS, LONGEST_TEXT_TOKENS),
    depth: readDepth,
    seed: (text) => readWhole(text, 0, LARGEST_SEED),
    start: (text) => readOneOf(text, ['1', '0']) === '1',
    queries: (text) => readWhole(text, 0, LARGEST_INDEX),
    method: (text) => environment.findMethod(text) ?? unknownMethod(text, environment),
    layer: (text) => readWhole(text, 0, MOST_LAYERS - 1),
    head: (text) => readWhole(text, 0, MOST_LAYERS - 1),
    query: (text) => readWhole(text, 0, LARGEST_INDEX),
    zoom: readZoom,
    mode: (text) => readOneOf(text, mapModes),
    split: readPart,
    pooling: (text) => readOneOf(text, poolings),
    theme: (text) => readOneOf(text, themes),
    positions: (text) => readOneOf(text, positionChoices),
    backend: (text) => readOneOf(text, ['auto', 'webgpu', 'cpu']),
  };
}

/** Reads whatever of a link can be read. Never rejects. */
export async function readLink(hash: string, environment: LinkEnvironment): Promise<LinkReading> {
  const changes: string[] = [];
  const notices: string[] = [];
  const unknown: string[] = [];
  const later: LinkPair[] = [];
  const draft: Draft = {};
  const readers = readersFor(environment);

  const { pairs, notice: arrival } = arrivedPairs(hash);
  if (arrival !== null) changes.push(arrival);
  for (const pair of pairs) {
    if (pair.key === MARK_KEY) continue;
    const name = pair.key === 'v' ? 'version' : pair.key;
    if (pair.key === 'pin' || pair.key.startsWith(PARAMETER_PREFIX)) later.push(pair);
    else if (pair.key === 'version' || !Object.hasOwn(readers, name)) unknown.push(pair.key);
    else {
      const key = name as keyof Draft;
      await attempt(pair, decisiveKeys.has(key) ? changes : notices, async (text) => {
        Object.assign(draft, { [key]: await readers[key](text) });
      });
    }
  }

  const fallback = defaultSession(environment.findMethod, environment.contextOf);
  const source = sourceOf(draft, fallback.source, changes);
  const context = environment.contextOf(source);
  const model = draft.model?.address ?? fallback.model;
  const layers = model === BUNDLED_MODEL ? context.layers : null;
  const method = draft.method ?? environment.findMethod(fallback.method.id)!;
  const named: Record<string, ParameterValue> = {};
  let pinned: readonly MethodSpec[] = defaultPinned(environment.findMethod, context);
  let withFraction: readonly MethodSpec[] = [];
  for (const pair of later) {
    const name = pair.key.slice(PARAMETER_PREFIX.length);
    const schema = Object.hasOwn(method.parameters, name) ? method.parameters[name] : undefined;
    if (pair.key === 'pin') {
      await attempt(pair, notices, (text) => {
        const reading = readPinned(text, environment.findMethod, context, layers);
        ({ pinned, withFraction } = reading);
        notices.push(...reading.notices);
      });
    } else if (schema) {
      await attempt(pair, notices, (text) => {
        named[name] = readParameter(schema, text, layers);
      });
    } else unknown.push(pair.key);
  }

  if (unknown.length > 0) notices.push(unknownKeys(unknown));
  if (draft.version !== undefined && draft.version !== environment.version) {
    notices.push(
      `The link was made with version ${shorten(draft.version, 40)} and this is ${environment.version}: numbers may differ.`,
    );
  }
  const spec = { id: method.id, parameters: fillParameters(method, named, context) };
  if (Object.hasOwn(named, 'keepFraction')) withFraction = [spec, ...withFraction];
  const { layer, head, query, zoom, mode, split, pooling, theme, positions } = draft;
  const given = Object.fromEntries(
    Object.entries({ layer, head, query, zoom, mode, split, pooling, theme, positions }).filter(
      ([, value]) => value !== undefined,
    ),
  );
  const view = { ...fallback.view, ...given };
  return {
    session: {
      model,
      source,
      method: spec,
      pinned,
      queriesStart: draft.queries ?? null,
      startToken: draft.start ?? null,
      view: model === BUNDLED_MODEL ? insideModel(view, context, changes) : view,
    },
    backend: draft.backend ?? 'auto',
    digest: draft.model?.digest ?? null,
    version: draft.version ?? null,
    oldFractions: draft.version !== undefined && isBefore020(draft.version) ? withFraction : [],
    namesParameters: Object.keys(named).length > 0,
    notices: [...changes, ...notices],
    changes,
  };
}

/** A layer and head that the model has: of the bundled one that is known before anything is loaded. */
export function insideModel(
  view: View,
  { layers, queryHeads }: Pick<ParameterContext, 'layers' | 'queryHeads'>,
  notices: string[],
): View {
  const layer = Math.min(view.layer, layers - 1);
  const head = Math.min(view.head, queryHeads - 1);
  if (layer === view.layer && head === view.head) return view;
  notices.push(
    `The model has ${layers} layers of ${queryHeads} heads: layer ${layer}, head ${head} is shown.`,
  );
  return { ...view, layer, head };
}

export interface LinkExtras {
  readonly version: string;
  readonly digest: string | null;
  /** Only for the address bar, so that a reload asks for the same backend. */
  readonly backend?: BackendChoice;
}

/** The part after "#", without it. */
export async function writeLink(session: Session, extras: LinkExtras): Promise<string> {
  const { view, source } = session;
  const pairs: [string, string][] = [
    ['v', extras.version],
    ['model', writeModel(session.model, extras.digest)],
  ];
  if (source.kind === 'text') pairs.push(['text', await packText(source.text)]);
  if (source.kind === 'sample') {
    pairs.push(['sample', source.sample]);
    if (source.tokens !== null) pairs.push(['length', String(source.tokens)]);
  }
  if (source.kind === 'task') {
    pairs.push(['task', source.task], ['length', String(source.tokens)], ['depth', String(source.depth)]);
    pairs.push(['seed', String(source.seed)]);
  }
  if (session.startToken !== null) pairs.push(['start', session.startToken ? '1' : '0']);
  if (session.queriesStart !== null) pairs.push(['queries', String(session.queriesStart)]);
  pairs.push(['method', session.method.id]);
  for (const [name, value] of Object.entries(session.method.parameters)) {
    pairs.push([PARAMETER_PREFIX + name, writeParameter(value)]);
  }
  pairs.push(
    ['pin', writePinned(session.pinned)],
    ['layer', String(view.layer)],
    ['head', String(view.head)],
  );
  if (view.query !== null) pairs.push(['query', String(view.query)]);
  if (view.zoom) pairs.push(['zoom', writeZoom(view.zoom)]);
  pairs.push(['mode', view.mode]);
  if (view.split !== defaultView.split) pairs.push(['split', String(view.split)]);
  if (view.pooling !== defaultView.pooling) pairs.push(['pooling', view.pooling]);
  if (view.positions !== null) pairs.push(['positions', view.positions]);
  pairs.push(['theme', view.theme]);
  const mark = markOf(pairs);
  if (extras.backend && extras.backend !== 'auto') pairs.push(['backend', extras.backend]);
  return joinPairs([...pairs, [MARK_KEY, mark]]);
}

function readModel(text: string): { address: string; digest: string | null } {
  const at = text.lastIndexOf('@');
  if (at < 0) return { address: readModelAddress(text), digest: null };
  return { address: readModelAddress(text.slice(0, at)), digest: text.slice(at + 1) || null };
}

/** "@" stands even before an empty digest, so that addresses may contain one. */
function writeModel(address: string, digest: string | null): string {
  return `${address}@${digest ?? ''}`;
}

function sourceOf(draft: Draft, fallback: SourceSpec, notices: string[]): SourceSpec {
  const named = (['text', 'sample', 'task'] as const).filter((kind) => draft[kind] !== undefined);
  if (named.length > 1) {
    notices.push(`The link names more than one source (${named.join(', ')}); the ${named[0]} is used.`);
  }
  if (draft.text !== undefined) return { kind: 'text', text: draft.text };
  if (draft.sample !== undefined) {
    return { kind: 'sample', sample: draft.sample, tokens: draft.length ?? null };
  }
  if (fallback.kind !== 'task') return fallback;
  return {
    kind: 'task',
    task: draft.task ?? fallback.task,
    tokens: draft.length ?? fallback.tokens,
    depth: draft.depth ?? fallback.depth,
    seed: draft.seed ?? fallback.seed,
  };
}

async function attempt(
  { key, value }: LinkPair,
  notices: string[],
  read: (text: string) => void | Promise<void>,
): Promise<void> {
  if (value === null) {
    notices.push(`${quote(key, 40)} in the link has broken escapes and was left out.`);
    return;
  }
  try {
    await read(value);
  } catch (error) {
    if (!isUserError(error)) throw error;
    const clause = error.message.startsWith('must be')
      ? `${quote(key, 40)} in the link ${error.message}, not ${quote(value, 40)}; it was left out.`
      : error.message;
    notices.push(clause);
  }
}

/** Numbers of another method than the link means must not pass for those of the one that it names. */
function unknownMethod(id: string, { methodIds, findMethod }: LinkEnvironment): never {
  const shown = findMethod(DEFAULT_METHOD_ID)?.title ?? DEFAULT_METHOD_ID;
  throw new UserError(
    `The link is about the method ${quote(id, 40)}, which this version does not know: what you see is ${shown} instead. Methods are ${methodIds.join(', ')}.`,
  );
}

/** The pairs of a link as they were sent, as far as that can be told, and a sentence where they were not all there. */
function arrivedPairs(hash: string): { pairs: readonly LinkPair[]; notice: string | null } {
  const pairs = splitPairs(hash);
  const version = pairs.find(({ key }) => key === 'v')?.value ?? null;
  const at = pairs.findIndex(({ key }) => key === MARK_KEY);
  if (at >= 0) {
    // Signs behind the mark came from the sentence that the link stood in.
    const mark = /^[0-9a-z]*/.exec(pairs[at]!.value ?? '')![0];
    const found = [pairs, unescapeOnce(pairs)].find((candidate) => sumOf(candidate.slice(0, at)) === mark);
    if (found) return { pairs: found, notice: null };
    return { pairs, notice: mark.length < MARK_LENGTH ? wasCut(pairs.slice(0, at)) : CHANGED };
  }
  // A link without a version was written by hand, and says what it wants to. Those of 0.1.0 ended in their theme.
  const isWhole =
    version === null ||
    (isBefore020(version) && pairs.some(({ key, value }) => key === 'theme' && value !== null));
  return { pairs, notice: isWhole ? null : wasCut(pairs) };
}

const CHANGED =
  'The link was changed after it was made: what it says now is shown, which may not be what was meant.';

function wasCut(pairs: readonly LinkPair[]): string {
  const last = pairs.at(-1);
  const part = last ? `, and its last value, of ${quote(last.key, 40)}, may be only a part` : '';
  return `The link was cut on the way: its end is missing${part}. Ask for it again.`;
}

function sumOf(pairs: readonly LinkPair[]): string {
  return markOf(pairs.filter(({ key }) => key !== 'backend').map(({ key, value }) => [key, value] as const));
}

function isBefore020(version: string): boolean {
  const [major = 0, minor = 0] = version.split('.').map(Number);
  return /^\d+\.\d+\.\d+$/.test(version) && major === 0 && minor < 2;
}

function unknownKeys(keys: readonly string[]): string {
  const shown = keys.slice(0, 4).map((key) => quote(key, 40));
  const more = keys.length > shown.length ? ` and ${keys.length - shown.length} more` : '';
  return `The link has keys that this version does not know: ${shown.join(', ')}${more}; they were left out.`;
}
