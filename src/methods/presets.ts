/** Whole sets of parameters to start from: scaled to the text, as its paper or its authors' code has them, as kvpress does. */
import type { EvictAfter, Method } from './method';
import { completeParameters, type ParameterContext, type Parameters } from './parameters';

export interface Preset {
  /** 'code': as the paper's authors have it there. */
  readonly name: 'scaled' | 'paper' | 'code' | 'kvpress';
  readonly parameters: Parameters;
  /** Where methods evict there; null: wherever they do now. */
  readonly evictAfter: EvictAfter | null;
}

/**
 * The presets that a method has. Parameters without a value of the source have their defaults, and counts larger than the text allows
 * are cut to what it does.
 */
export function presetsOf(method: Method, context: ParameterContext): readonly Preset[] {
  const { paper, kvpress } = method.presets ?? {};
  const schemas = Object.entries(method.parameters);
  if (schemas.length === 0) return [];
  const ofPaper = Object.fromEntries(
    schemas.flatMap(([name, schema]) => (schema.paper === undefined ? [] : [[name, schema.paper]])),
  );
  const preset = (name: Preset['name'], values: Parameters, evictAfter: EvictAfter | null): Preset => ({
    ...{
      name,
      evictAfter,
      parameters: completeParameters(method, withinText(method, values, context), context),
    },
  });
  // Back from where a source evicts.
  const usual = paper?.evictAfter || kvpress?.evictAfter ? 'context' : null;
  return [
    preset('scaled', {}, usual),
    ...(paper ? [preset(paper.from, ofPaper, paper.evictAfter ?? null)] : []),
    ...(kvpress ? [preset('kvpress', kvpress.parameters ?? {}, kvpress.evictAfter ?? null)] : []),
  ];
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
