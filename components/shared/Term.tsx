import { Tooltip } from 'radix-ui';
import { type ReactNode, useState } from 'react';
import { classNames } from './class-names';
import { type GlossaryTerm, glossary } from './glossary';
import styles from './Term.module.css';

interface TermProps {
  /** What the tooltip says: a term of the glossary, or the sentence itself. */
  name?: GlossaryTerm;
  text?: string;
  className?: string;
  children: ReactNode;
}

/** A word with its explanation, on hover, focus or tap. */
export function Term({ name, text, className, children }: TermProps) {
  const [isOpen, setOpen] = useState(false);
  const sentence = name ? glossary[name] : (text ?? '');
  return (
    <Tooltip.Root open={isOpen} onOpenChange={setOpen} delayDuration={250}>
      <Tooltip.Trigger asChild>
        <button type="button" className={classNames(styles.term, className)} onClick={() => setOpen(true)}>
          {children}
        </button>
      </Tooltip.Trigger>
      <Tooltip.Portal>
        <Tooltip.Content className={styles.tooltip} sideOffset={6} collisionPadding={8}>
          {sentence}
        </Tooltip.Content>
      </Tooltip.Portal>
    </Tooltip.Root>
  );
}
