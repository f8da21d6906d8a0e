import { useNothingDropped } from '../../src/page/hooks';

/** Says so where the method with its settings keeps every key of the text. */
export function NothingDropped({ className }: { className?: string }) {
  const sentence = useNothingDropped();
  return sentence === null ? null : <p className={className}>{sentence}</p>;
}
