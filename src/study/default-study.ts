/** The study that the page opens with, and what its parts default to. */
import type { Method } from '../methods/method';
import type { MethodSpec } from '../methods/method-spec';
import { completeParameters, type ParameterContext } from '../methods/parameters';
import type { SourceSpec, StudySpec } from './spec';

/** Looks a method up; null for an id that is not there. */
export type FindMethod = (id: string) => Method | null;

export const BUNDLED_MODEL = 'bundled';
const defaultSource: SourceSpec = {
  kind: 'task',
  task: 'four-needles',
  tokens: 1024,
  depth: 'spread',
  seed: 7,
};
export const DEFAULT_METHOD_ID = 'esa';
const defaultPinnedIds = ['oracle', 'streaming-llm', 'lagkv', 'random'] as const;
/** A head of the bundled model that looks the needles up. */
export const openingHead = { layer: 7, head: 4 } as const;

/** A method with its defaults. */
export function defaultMethod(method: Method, context: ParameterContext): MethodSpec {
  return { id: method.id, parameters: completeParameters(method, {}, context) };
}

/** The methods that are pinned until somebody chooses others. */
export function defaultPinned(find: FindMethod, context: ParameterContext): MethodSpec[] {
  return defaultPinnedIds.flatMap((id) => {
    const method = find(id);
    return method ? [defaultMethod(method, context)] : [];
  });
}

/** `contextOf`: what parameters of a study of this source depend on. */
export function defaultStudy(
  find: FindMethod,
  contextOf: (source: SourceSpec) => ParameterContext,
): StudySpec {
  const context = contextOf(defaultSource);
  const method = find(DEFAULT_METHOD_ID);
  if (!method) throw new Error(`the method ${DEFAULT_METHOD_ID} is missing`);
  return {
    model: BUNDLED_MODEL,
    source: defaultSource,
    method: defaultMethod(method, context),
    pinned: defaultPinned(find, context),
    queriesStart: null,
    startToken: null,
  };
}
