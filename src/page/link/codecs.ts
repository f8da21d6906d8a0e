/**
 * The keys of a link: one table, in the order in which they are written. Each says where its value lives, how its text is read and
 * how it is written; a new key is an entry here and a row in docs/link.md.
 */
import { quote } from '../../base/quote';
import { UserError } from '../../base/user-error';
import { isImported } from '../../methods/imported';
import type { Method } from '../../methods/method';
import { EVICTION_CHOICES } from '../../methods/method';
import type { ParameterValue } from '../../methods/parameters';
import { BUNDLED_MODEL, DEFAULT_METHOD_ID, defaultPinned } from '../../study/default-study';
import { LONGEST_TEXT_TOKENS } from '../../study/limits';
import { asksQuestion, evictAfterOf, queriesAfter, type SourceSpec } from '../../study/spec';
import {
  defaultSession,
  defaultView,
  mapModes,
  poolings,
  positionChoices,
  type Session,
  themes,
  type View,
} from '../choices';
import { LARGEST_SEED, LONGEST_QUESTION_CHARACTERS, MOST_LAYERS, SHORTEST_TASK_TOKENS } from '../limits';
import { packText, unpackText, wellFormed } from './compress';
import { readLinkedModel } from './model-address';
import {
  flag,
  type LinkEnvironment,
  oneOf,
  type PinnedReading,
  part,
  readParameter,
  readPinned,
  type ValueCodec,
  whole,
  writePinned,
  writtenParameters,
  zoom,
} from './values';

const backendChoices = ['auto', 'webgpu', 'cpu'] as const;
export type BackendChoice = (typeof backendChoices)[number];

/** What a link says beside the session. */
export interface LinkExtras {
  readonly version: string;
  readonly digest: string | null;
  /** Only for the address bar, so that a reload asks for the same backend. */
  readonly backend?: BackendChoice;
}

type Writable<Type> = { -readonly [Key in keyof Type]: Type[Key] };

/** Parts of a source; those of several kinds may stand in one link. */
interface SourceParts {
  text?: string;
  question?: string;
  expected?: readonly string[];
  sample?: string;
  task?: string;
  tokens?: number;
  depth?: 'spread' | number;
  seed?: number;
}

/** What the keys read so far come to; what a link leaves out stays as the page opens. */
export interface Draft
  extends Writable<Pick<Session, 'model' | 'startToken' | 'chatTemplate' | 'queriesStart'>> {
  version: string | null;
  digest: string | null;
  backend: BackendChoice;
  readonly sourceParts: SourceParts;
  method: Method;
  /** Parameters of the method that the link itself names. */
  readonly parameters: Record<string, ParameterValue>;
  /** Null: those that the page opens with. */
  pinned: PinnedReading | null;
  readonly view: Writable<View>;
}

export function beginDraft({ findMethod, contextOf }: LinkEnvironment): Draft {
  const { model, startToken, queriesStart, method, view } = defaultSession(findMethod, contextOf);
  return {
    version: null,
    digest: null,
    backend: 'auto',
    model,
    startToken,
    queriesStart,
    sourceParts: {},
    method: findMethod(method.id)!,
    parameters: {},
    pinned: null,
    view: { ...view },
  };
}

export interface LinkCodec {
  /** What it says decides which study it is: a notice about it stands first. */
  readonly isDecisive?: boolean;
  /** Depends on other keys, and is read after them. */
  readonly isLate?: boolean;
  /** Where one codec has several keys, which begin alike: whether it has this one. */
  has?(name: string, draft: Draft): boolean;
  /**
   * Puts the value into the draft; `name`: what follows the codec's own key. Returns sentences about what was left out. Throws
   * UserError with a clause, "must be …", or a sentence.
   */
  read(
    text: string,
    draft: Draft,
    page: LinkEnvironment,
    name: string,
  ): void | readonly string[] | Promise<void>;
  /** Null: it is not written. Of several keys: what follows the codec's own key, and the value. */
  write(session: Session, extras: LinkExtras): Written | Promise<Written>;
}

type Written = string | null | readonly (readonly [name: string, value: string])[];

const LARGEST_INDEX = 1_000_000;

const length = whole(SHORTEST_TASK_TOKENS, LONGEST_TEXT_TOKENS);
const index = whole(0, LARGEST_INDEX);
/** A question or an answer, as it is written. */
const words: ValueCodec<string> = {
  read(text) {
    if (text.trim() === '' || text.length > LONGEST_QUESTION_CHARACTERS)
      throw new UserError(`must be some words, at most ${LONGEST_QUESTION_CHARACTERS} characters`);
    return wellFormed(text);
  },
  write: (value) => value,
};
const layerOrHead = whole(0, MOST_LAYERS - 1);

export const linkCodecs: Readonly<Record<string, LinkCodec>> = {
  v: {
    read(text, draft) {
      draft.version = text;
    },
    write: (_, { version }) => version,
  },
  model: {
    isDecisive: true,
    read(text, draft) {
      const { model, digest } = readLinkedModel(text);
      draft.model = model;
      draft.digest = digest;
    },
    // "@" stands even before an empty digest, so that addresses may contain one.
    write: ({ model }, { digest }) => `${model}@${digest ?? ''}`,
  },
  text: { isDecisive: true, ...inSource('text', { read: unpackText, write: packText }) },
  question: { isDecisive: true, ...inSource('question', words) },
  expect: {
    isDecisive: true,
    ...inSource('expected', {
      read: async (text, page) => [await words.read(text, page)],
      // Several come by a file, which no link is about.
      write: ([answer = '']) => answer,
    }),
  },
  sample: {
    isDecisive: true,
    ...inSource(
      'sample',
      oneOf((page) => page.sampleIds),
    ),
  },
  task: {
    isDecisive: true,
    ...inSource(
      'task',
      oneOf((page) => page.taskIds),
    ),
  },
  length: inSource('tokens', length),
  depth: inSource('depth', part('spread')),
  seed: inSource('seed', whole(0, LARGEST_SEED)),
  start: {
    async read(text, draft, page) {
      draft.startToken = await flag.read(text, page);
    },
    write: ({ startToken }) => (startToken === null ? null : flag.write(startToken)),
  },
  chat: {
    async read(text, draft, page) {
      if (await flag.read(text, page)) draft.chatTemplate = true;
    },
    write: ({ chatTemplate }) => (chatTemplate ? '1' : null),
  },
  queries: {
    async read(text, draft, page) {
      draft.queriesStart = await index.read(text, page);
    },
    write: ({ queriesStart }) => (typeof queriesStart === 'number' ? index.write(queriesStart) : null),
  },
  evictAfter: {
    // What it means depends on the source and on the first query.
    isLate: true,
    async read(text, draft, page) {
      const place = await oneOf(EVICTION_CHOICES).read(text, page);
      if (place === 'context') return;
      if (typeof draft.queriesStart === 'number') {
        throw new UserError(
          `The link begins the queries at token ${draft.queriesStart}, where methods evict, and says that they evict after the question; the token counts.`,
        );
      }
      if (!asksQuestion(surroundings(draft, page).source)) {
        throw new UserError('The link says that methods evict after the question, and its text asks none.');
      }
      draft.queriesStart = queriesAfter(place);
    },
    write: (session) => (evictAfterOf(session) === 'question' ? 'question' : null),
  },
  method: {
    isDecisive: true,
    read(text, draft, { findMethod, methodIds }) {
      const method = findMethod(text);
      if (method) {
        draft.method = method;
        return;
      }
      // Numbers of another method than the link means must not pass for those of the one that it names.
      const shown = findMethod(DEFAULT_METHOD_ID)?.title ?? DEFAULT_METHOD_ID;
      throw new UserError(
        `The link is about the method ${quote(text, 40)}, which this version does not know: what you see is ${shown} instead. The list under Method has all ${methodIds.length}.`,
      );
    },
    // A file does not travel: such a link opens with the method that the page opens with.
    write: ({ method }) => (isImported(method.id) ? null : method.id),
  },
  'p.': {
    isLate: true,
    has: (name, { method }) => Object.hasOwn(method.parameters, name),
    read(text, draft, page, name) {
      const { layers } = surroundings(draft, page);
      draft.parameters[name] = readParameter(draft.method.parameters[name]!, text, layers);
    },
    write: ({ method }) => writtenParameters(method.parameters),
  },
  pin: {
    isLate: true,
    read(text, draft, page) {
      const { context, layers } = surroundings(draft, page);
      draft.pinned = readPinned(text, page.findMethod, context, layers);
      return draft.pinned.notices;
    },
    write: ({ pinned }) => writePinned(pinned.filter(({ id }) => !isImported(id))),
  },
  layer: inView('layer', layerOrHead),
  head: inView('head', layerOrHead),
  query: inView('query', index),
  zoom: inView('zoom', zoom),
  mode: inView('mode', oneOf(mapModes)),
  split: inView('split', part<never>(), defaultView.split),
  pooling: inView('pooling', oneOf(poolings), defaultView.pooling),
  positions: inView('positions', oneOf(positionChoices)),
  theme: inView('theme', oneOf(themes)),
  backend: {
    async read(text, draft, page) {
      draft.backend = await oneOf(backendChoices).read(text, page);
    },
    write: (_, { backend = 'auto' }) => (backend === 'auto' ? null : backend),
  },
};

function inSource<Part extends keyof SourceParts>(
  name: Part,
  value: ValueCodec<NonNullable<SourceParts[Part]>>,
): LinkCodec {
  return {
    async read(text, { sourceParts }, page) {
      sourceParts[name] = await value.read(text, page);
    },
    write({ source }) {
      const own = (source as { readonly [Key in Part]?: SourceParts[Key] | null })[name] ?? null;
      return own === null ? null : value.write(own);
    },
  };
}

/** `unwritten`: the value that is not written, beside null. */
function inView<Name extends keyof View>(
  name: Name,
  value: ValueCodec<NonNullable<View[Name]>>,
  unwritten: View[Name] | null = null,
): LinkCodec {
  return {
    async read(text, { view }, page) {
      view[name] = await value.read(text, page);
    },
    write({ view }) {
      const own = view[name];
      return own === null || own === unwritten ? null : value.write(own as NonNullable<View[Name]>);
    },
  };
}

/** Source, defaults and pinned methods that the draft comes to. `layers` null: of a model that is not loaded. */
export function surroundings({ model, sourceParts }: Draft, { findMethod, contextOf }: LinkEnvironment) {
  const source = sourceOf(sourceParts, defaultSession(findMethod, contextOf).source);
  const context = contextOf(source);
  return {
    source,
    context,
    layers: model === BUNDLED_MODEL ? context.layers : null,
    pinned: defaultPinned(findMethod, context),
  };
}

/** Kinds of sources, the one first that counts where a link names several. */
export const sourceKinds = ['text', 'sample', 'task'] as const;

function sourceOf(
  { text, question, expected, sample, task, ...parts }: SourceParts,
  opening: SourceSpec,
): SourceSpec {
  if (text !== undefined)
    return { kind: 'text', text, ...(question && { question }), ...(expected && { expected }) };
  if (sample !== undefined) return { kind: 'sample', sample, tokens: parts.tokens ?? null };
  return opening.kind === 'task' ? { ...opening, task: task ?? opening.task, ...parts } : opening;
}
