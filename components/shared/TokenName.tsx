import { invisibleName, nameToken } from './format';

/** A token in a sentence: quoted, or described where there is nothing to quote. */
export function TokenName({ text }: { text: string }) {
  const name = invisibleName(text);
  return name === null ? <q>{nameToken(text)}</q> : <em>{name}</em>;
}
