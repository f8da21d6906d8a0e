/** Kept fractions of links that were made before 0.2.0, which meant another whole (docs/methods.md, "Budgets"). */

import { fingerprint } from '../../base/fingerprint';
import { translateKeepFraction } from '../../methods/budget';
import type { MethodSpec } from '../../methods/method-spec';
import type { FindMethod } from '../../study/default-study';
import type { TextFacts } from '../../study/facts';
import type { Session } from '../choices';

/**
 * The session with the kept fractions of `old` methods translated for the text that has been read: as many keys stay as the link
 * meant. The same object where nothing changes.
 */
export function translateFractions(
  session: Session,
  old: readonly MethodSpec[],
  findMethod: FindMethod,
  { tokens, queries }: Pick<TextFacts, 'tokens' | 'queries'>,
): { session: Session; notice: string } {
  const evictAt = queries.start;
  const keys = new Set(old.map(fingerprint));
  const changes = new Set<string>();
  const translate = (spec: MethodSpec): MethodSpec => {
    const method = findMethod(spec.id);
    if (!method || !keys.has(fingerprint(spec))) return spec;
    const parameters = translateKeepFraction(method, spec.parameters, { tokens, evictAt });
    if (fingerprint(parameters) === fingerprint(spec.parameters)) return spec;
    changes.add(method.title);
    return { ...spec, parameters };
  };
  const method = translate(session.method);
  const pinned = session.pinned.map(translate);
  if (changes.size === 0) return { session, notice: '' };
  return {
    session: { ...session, method, pinned },
    notice: `The kept fraction of ${[...changes].join(' and ')} was one of the whole text in the link’s version and is one of the ${evictAt.toLocaleString('en')} tokens before the queries here: it was translated, and as many keys stay.`,
  };
}

export function isBefore020(version: string): boolean {
  const [major = 0, minor = 0] = version.split('.').map(Number);
  return /^\d+\.\d+\.\d+$/.test(version) && major === 0 && minor < 2;
}
