import type { ComponentProps } from 'react';
import styles from './Button.module.css';
import { classNames } from './class-names';

const looks = { plain: styles.plain, primary: styles.primary, text: styles.text, icon: styles.icon };

interface ButtonProps extends ComponentProps<'button'> {
  /** `text`: a word in a sentence. `icon`: a square with a sign and no frame; it needs an `aria-label`. */
  kind?: keyof typeof looks;
}

/** A button of the page; it submits no form unless `type` says so. */
export function Button({ kind = 'plain', className, ...rest }: ButtonProps) {
  return <button type="button" className={classNames(styles.button, looks[kind], className)} {...rest} />;
}
