import type { ComponentProps } from 'react';
import styles from './Button.module.css';
import { classNames } from './class-names';

interface ButtonProps extends ComponentProps<'button'> {
  /** `text`: a word in a sentence. `icon`: a square with a sign and no frame; it needs an `aria-label`. */
  kind?: 'plain' | 'primary' | 'text' | 'icon';
}

/** A button of the page; it submits no form unless `type` says so. */
export function Button({ kind = 'plain', className, ...rest }: ButtonProps) {
  return <button type="button" className={classNames(styles.button, styles[kind], className)} {...rest} />;
}
