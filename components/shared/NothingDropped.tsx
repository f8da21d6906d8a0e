import { useNothingDropped } from '../../src/page/hooks';

/** Says so where the method as it is set keeps every key of the text. */
export function NothingDropped({ className }: { className?: string }) {
  const sentence = useNothingDropped();
  return sentence === null ? null : <p className={className}>{sentence}</p>;
}
