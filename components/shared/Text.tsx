import type { ComponentProps } from 'react';
import { classNames } from './class-names';
import { invisibleName, nameToken } from './format';
import styles from './Text.module.css';

/** Why there is nothing to see here yet. */
export function Empty({ className, ...rest }: ComponentProps<'p'>) {
  return <p className={classNames(styles.empty, className)} {...rest} />;
}

interface HiddenProps extends ComponentProps<'p'> {
  as?: 'p' | 'span' | 'dt' | 'legend';
}

/** What only screen readers get. */
export function Hidden({ as: Tag = 'p', ...rest }: HiddenProps) {
  return <Tag className={styles.hidden} {...(rest as object)} />;
}

/** A token in a sentence: quoted, or described where there is nothing to quote. */
export function TokenName({ text }: { text: string }) {
  const name = invisibleName(text);
  return name === null ? <q>{nameToken(text)}</q> : <em>{name}</em>;
}

/** A paper's symbol, with what follows "_" as its index: l_I, or f_θ, f_φ. */
export function PaperSymbol({ text }: { text: string }) {
  return (
    <i className={styles.symbol}>
      {text.split(/(_[^\s,_]+)/).map((part, at) =>
        part.startsWith('_') ? (
          // biome-ignore lint/suspicious/noArrayIndexKey: parts have no other identity
          <sub key={at}>{part.slice(1)}</sub>
        ) : (
          part
        ),
      )}
    </i>
  );
}
