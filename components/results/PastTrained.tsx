import { usePageState } from '../../src/page/hooks';
import { isPastTrained } from '../../src/page/summary';
import { formatCount } from '../shared/format';
import { Term } from '../shared/Term';

/** Why recall is grey, where it is, and what is not. `hasOwn`: recall is shown under the method's own positions. */
export function PastTrained({ hasOwn }: { hasOwn: boolean }) {
  const isPast = usePageState((state) => isPastTrained(state.text, state.model));
  const trained = usePageState((state) => state.model?.trainedTokens ?? 0);
  if (!isPast) return null;
  return (
    <p className="past-trained">
      Past the <Term name="trainedLength">trained length</Term> of {formatCount(trained)} tokens full
      attention is no yardstick: read the answer
      {hasOwn ? ', and recall under the method’s own positions' : ', not the recall'}.
    </p>
  );
}
