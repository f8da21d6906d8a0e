import { useMemo } from 'react';
import { factsOf, type MethodFacts } from '../../src/measure/method-facts';
import { usePage, usePageState, useParameterContext, useTextLength } from '../../src/page/hooks';

/** Facts of all methods at their defaults for the text, made when they are first asked for. */
export function useMethodFacts(): () => readonly MethodFacts[] {
  const { methods } = usePage();
  const context = useParameterContext();
  const tokens = useTextLength();
  const text = usePageState('text');
  const evictAt = text?.queries.start ?? Math.ceil((tokens * 7) / 8);
  const answerStart = text?.answerStart ?? null;
  return useMemo(() => {
    let facts: readonly MethodFacts[] | null = null;
    return () => {
      facts ??= methods.map((method) => factsOf(method, context, { evictAt, answerStart }, tokens));
      return facts;
    };
  }, [methods, context, tokens, evictAt, answerStart]);
}
