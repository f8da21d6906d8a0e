/** What to start from: all parameters scaled to the text, or those that the paper, its authors' code or kvpress states, and where that evicts. */
import { fingerprint } from '../base/fingerprint';
import type { EvictAfter, Method } from './method';
import { completeParameters, isTable, type ParameterContext, type Parameters } from './parameters';

export interface Preset {
  /** 'code': as the paper's authors have it there. */
  readonly name: 'scaled' | 'paper' | 'code' | 'kvpress';
  /** What it states; all others stay as they are. */
  readonly parameters: Parameters;
  /** Where methods evict there; null: wherever they do now. */
  readonly evictAfter: EvictAfter | null;
  /** The first preset that has the same values in all that this one states, and evicts there; null: none before it does. */
  readonly sameAs: Preset['name'] | null;
}

/**
 * The presets that a method has. The scaled one states every parameter, a source what it gives, and one that gives nothing is none; counts
 * larger than the text allows are cut to what it does.
 */
export function presetsOf(method: Method, context: ParameterContext): readonly Preset[] {
  const { paper, kvpress } = method.presets ?? {};
  const schemas = Object.entries(method.parameters);
  const ofPaper = Object.fromEntries(
    schemas.flatMap(([name, schema]) => (schema.paper === undefined ? [] : [[name, schema.paper]])),
  );
  const stated = (values: Parameters): Parameters => {
    const checked = completeParameters(method, withinText(method, values, context), context);
    return Object.fromEntries(Object.keys(values).map((name) => [name, checked[name]!]));
  };
  // Back from where a source evicts.
  const usual = paper?.evictAfter || kvpress?.evictAfter ? 'context' : null;
  const found: Omit<Preset, 'sameAs'>[] = [
    { name: 'scaled', parameters: completeParameters(method, {}, context), evictAfter: usual },
  ];
  if (paper)
    found.push({ name: paper.from, parameters: stated(ofPaper), evictAfter: paper.evictAfter ?? null });
  if (kvpress) {
    const { parameters = {}, evictAfter = null } = kvpress;
    found.push({ name: 'kvpress', parameters: stated(parameters), evictAfter });
  }
  return found
    .filter(({ parameters }) => Object.keys(parameters).length > 0)
    .map((preset, at, all) => ({
      ...preset,
      sameAs: all.slice(0, at).find((earlier) => hasAllOf(earlier, preset))?.name ?? null,
    }));
}

/** Whether a preset does all that another states. */
function hasAllOf(one: Omit<Preset, 'sameAs'>, { parameters, evictAfter }: Omit<Preset, 'sameAs'>): boolean {
  const isThere = evictAfter === null || one.evictAfter === evictAfter;
  return isThere && hasValues(one.parameters, parameters);
}

/** Whether parameters have all values that are stated; tables, which no control shows, are nobody's to state. */
export function hasValues(parameters: Parameters, stated: Parameters): boolean {
  return Object.entries(stated).every(
    ([name, value]) => isTable(value) || fingerprint(parameters[name]) === fingerprint(value),
  );
}

function withinText(
  { parameters: schemas }: Method,
  values: Parameters,
  context: ParameterContext,
): Parameters {
  const cut = Object.entries(values).map(([name, value]) => {
    const schema = schemas[name];
    return [name, schema?.kind === 'count' ? Math.min(Number(value), schema.maximum(context)) : value];
  });
  return Object.fromEntries(cut);
}
