import { usePageState } from '../../src/session/hooks';
import { isPastTrained } from '../../src/session/summary';
import { formatCount } from '../shared/format';
import { Term } from '../shared/Term';

/** Why recall is grey, where it is. */
export function PastTrained() {
  const isPast = usePageState((state) => isPastTrained(state.text, state.model));
  const trained = usePageState((state) => state.model?.trainedTokens ?? 0);
  if (!isPast) return null;
  return (
    <p className="past-trained">
      Past the <Term name="trainedLength">trained length</Term> of {formatCount(trained)} tokens full
      attention is no yardstick: read the answer, not the recall.
    </p>
  );
}
