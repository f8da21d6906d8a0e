/**
 * The link: everything after "#" in the address (docs/link.md). Its keys are one table, codecs.ts; each is read on its own, so that a
 * bad one costs itself and one notice, never the view.
 */
import { quote, shorten } from '../../base/quote';
import { isUserError } from '../../base/user-error';
import type { MethodSpec } from '../../methods/method-spec';
import type { ParameterContext } from '../../methods/parameters';
import { BUNDLED_MODEL } from '../../study/default-study';
import type { Session, View } from '../choices';
import { fillParameters } from '../dependent-defaults';
import {
  type BackendChoice,
  beginDraft,
  type LinkCodec,
  type LinkExtras,
  linkCodecs,
  sourceKinds,
  surroundings,
} from './codecs';
import { isBefore020 } from './old-fractions';
import { arrivedPairs, joinPairs, type LinkPair } from './text';
import type { LinkEnvironment } from './values';

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

/** Reads whatever of a link can be read. Never rejects. */
export async function readLink(hash: string, environment: LinkEnvironment): Promise<LinkReading> {
  const changes: string[] = [];
  const notices: string[] = [];
  const unknown: string[] = [];
  const draft = beginDraft(environment);

  const { pairs, notice: arrival } = arrivedPairs(hash);
  if (arrival !== null) changes.push(arrival);
  for (const isLate of [false, true]) {
    for (const pair of pairs) {
      const codecKey = pair.key.slice(0, pair.key.indexOf('.') + 1) || pair.key;
      const name = pair.key.slice(codecKey.length);
      const codec = Object.hasOwn(linkCodecs, codecKey) ? linkCodecs[codecKey] : undefined;
      if ((codec?.isLate ?? false) !== isLate) continue;
      if (!codec || codec.has?.(name, draft) === false) unknown.push(pair.key);
      else
        await attempt(pair, codec.isDecisive ? changes : notices, (text) =>
          codec.read(text, draft, environment, name),
        );
    }
  }

  const kinds = sourceKinds.filter((kind) => draft.sourceParts[kind] !== undefined);
  if (kinds.length > 1) {
    changes.push(`The link names more than one source (${kinds.join(', ')}); the ${kinds[0]} is used.`);
  }
  if (unknown.length > 0) notices.push(unknownKeys(unknown));
  const { version, model, method, parameters: named, startToken, chatTemplate, queriesStart, view } = draft;
  if (version !== null && version !== environment.version) {
    notices.push(
      `The link was made with version ${shorten(version, 40)} and this is ${environment.version}: numbers may differ.`,
    );
  }
  const { source, context, pinned: defaultPinned } = surroundings(draft, environment);
  const { pinned, withFraction } = draft.pinned ?? { pinned: defaultPinned, withFraction: [] };
  const spec = { id: method.id, parameters: fillParameters(method, named, context) };
  const fractions = Object.hasOwn(named, 'keepFraction') ? [spec, ...withFraction] : withFraction;
  return {
    session: {
      model,
      source,
      method: spec,
      pinned,
      queriesStart,
      startToken,
      ...(chatTemplate && { chatTemplate }),
      view: model === BUNDLED_MODEL ? insideModel(view, context, changes) : view,
    },
    backend: draft.backend,
    digest: draft.digest,
    version,
    oldFractions: version !== null && isBefore020(version) ? fractions : [],
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

/** The part after "#", without it. */
export async function writeLink(session: Session, extras: LinkExtras): Promise<string> {
  const pairs: [key: string, value: string][] = [];
  for (const [key, codec] of Object.entries(linkCodecs)) {
    const written = await codec.write(session, extras);
    if (written === null) continue;
    const all = typeof written === 'string' ? [['', written] as const] : written;
    for (const [name, value] of all) pairs.push([key + name, value]);
  }
  return joinPairs(pairs);
}

async function attempt(
  { key, value }: LinkPair,
  notices: string[],
  read: (text: string) => ReturnType<LinkCodec['read']>,
): Promise<void> {
  if (value === null) {
    notices.push(`${quote(key, 40)} in the link has broken escapes and was left out.`);
    return;
  }
  try {
    notices.push(...((await read(value)) ?? []));
  } catch (error) {
    if (!isUserError(error)) throw error;
    const clause = error.message.startsWith('must be')
      ? `${quote(key, 40)} in the link ${error.message}, not ${quote(value, 40)}; it was left out.`
      : error.message;
    notices.push(clause);
  }
}

function unknownKeys(keys: readonly string[]): string {
  const shown = keys.slice(0, 4).map((key) => quote(key, 40));
  const more = keys.length > shown.length ? ` and ${keys.length - shown.length} more` : '';
  return `The link has keys that this version does not know: ${shown.join(', ')}${more}; they were left out.`;
}
