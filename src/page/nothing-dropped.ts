/** What there is to say where a method was measured to keep every key of a text: that it did, and how many it has room for. */
import { fingerprint } from '../base/fingerprint';
import type { LayerMeasurement } from '../measure/results';
import { studyBlocks } from '../methods/blocks';
import type { Method, StudyPlaces } from '../methods/method';
import type { ParameterContext, Parameters } from '../methods/parameters';

/** Less than any key more or less makes of a mean over queries. */
const ROUNDING_ERROR = 1e-6;

/** Whether every query that was measured saw every key up to its own, in every layer. */
export function isEverythingKept(layers: readonly LayerMeasurement[]): boolean {
  return layers.length > 0 && layers.every(({ keptShare }) => keptShare > 1 - ROUNDING_ERROR);
}

/** Whether a method that drops keys elsewhere was measured to keep all: not one whose keys stay whatever is set, be it as fewer numbers. */
export function hadRoomForAll(
  { traits }: Pick<Method, 'traits'>,
  parameters: Parameters,
  layers: readonly LayerMeasurement[],
): boolean {
  const { decides, cache } = traits(parameters);
  return decides !== 'never' && cache !== 'pruned' && isEverythingKept(layers);
}

interface Study {
  readonly method: Method;
  readonly parameters: Parameters;
  readonly context: ParameterContext;
  readonly places: StudyPlaces;
}

/** One sentence on a study whose layers were measured to keep everything; null: some key was dropped, or none could be. */
export function nothingDropped(study: Study, layers: readonly LayerMeasurement[]): string | null {
  const { method, parameters, context, places } = study;
  if (!hadRoomForAll(method, parameters, layers)) return null;
  const { decides, evicts } = method.traits(parameters);
  // A run says itself that nothing stands before its queries.
  if (decides === 'once' && places.evictAt === 0) return null;
  const room = fixedRoom(study);
  const { title } = method;
  if (room === null) return `Nothing is dropped: with these settings, ${title} keeps every key of this text.`;
  const beside = room.keys < context.tokens ? ' beside those just read' : '';
  const where = room.isOfAllLayers ? '' : ' in the layer with fewest';
  const keeps = evicts ? 'keeps' : 'shows a query';
  return `${title} ${keeps} up to ${count(room.keys)} keys${beside}${where}; this text has ${count(context.tokens)}: nothing is dropped.`;
}

const count = (value: number): string => value.toLocaleString('en');

/** Texts up to this length are looked at for one from which on keys are dropped, and at least one of twice this text's. */
const LONGEST_TOKENS = 65_536;

interface Room {
  /** In the layer with fewest. */
  readonly keys: number;
  readonly isOfAllLayers: boolean;
}

/** The last answer: several panels say the same of one study. */
let last: { readonly key: string; readonly room: Room | null } | null = null;

/**
 * How many keys the method keeps by formula however long the text is; null: there is no such number, or this text has room for fewer,
 * so that something else kept them. Of a method that evicts what it keeps beside the query's block, of others all that the query sees.
 */
export function fixedRoom(study: Study): Room | null {
  const { method, parameters, context, places } = study;
  const key = fingerprint([method.id, parameters, context, places]);
  if (last?.key !== key) last = { key, room: findRoom(study) };
  return last.room;
}

function findRoom(study: Study): Room | null {
  // Keys that a file lists are of this text.
  if (study.method.traits(study.parameters).evictsAt !== undefined || !keptIn(study, 1).isAll) return null;
  for (let times = 2; times === 2 || times * study.context.tokens <= LONGEST_TOKENS; times *= 2) {
    const { isAll, room } = keptIn(study, times);
    if (!isAll) return keptIn(study, 2 * times).room.keys === room.keys ? room : null;
  }
  return null;
}

/** What a query keeps in a text so many times as long, whose end is this text's: the first after the eviction, or the last. */
function keptIn({ method, parameters, context, places }: Study, times: number) {
  const tokens = times * context.tokens;
  const longer = tokens - context.tokens;
  const answerStart = places.answerStart === null ? null : places.answerStart + longer;
  const moved = { tokens, evictAt: places.evictAt + longer, answerStart };
  const { evictAt } = moved;
  const { decides, evicts } = method.traits(parameters);
  const position = decides === 'once' ? Math.min(evictAt, tokens - 1) : tokens - 1;
  const longerContext = { ...context, tokens };
  const block = studyBlocks(method, parameters, moved, longerContext).find(
    ({ start, end }) => start <= position && position < end,
  )!;
  const query = { position, block, evictAt, promptEnd: answerStart ?? tokens };
  const kept = Array.from(
    { length: context.layers },
    (_, layer) => method.cost(parameters, longerContext, layer, query).keptKeys,
  );
  const least = Math.min(...kept);
  const own = evicts ? position + 1 - block.start : 0;
  const room: Room = { keys: Math.round(least - own), isOfAllLayers: Math.max(...kept) === least };
  return { isAll: least > position + 1 - ROUNDING_ERROR, room };
}
