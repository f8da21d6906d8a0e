import { Tooltip } from 'radix-ui';
import { type ReactNode, useState } from 'react';
import { type GlossaryTerm, glossary } from './glossary';

interface TermProps {
  /** What the tooltip says: a term of the glossary, or the sentence itself. */
  name?: GlossaryTerm;
  text?: string;
  children: ReactNode;
}

/** A word with its explanation: on hover, on focus, and on a tap. */
export function Term({ name, text, children }: TermProps) {
  const [isOpen, setOpen] = useState(false);
  const sentence = name ? glossary[name] : (text ?? '');
  return (
    <Tooltip.Root open={isOpen} onOpenChange={setOpen} delayDuration={250}>
      <Tooltip.Trigger asChild>
        <button type="button" className="term" onClick={() => setOpen(true)}>
          {children}
        </button>
      </Tooltip.Trigger>
      <Tooltip.Portal>
        <Tooltip.Content className="tooltip" sideOffset={6} collisionPadding={8}>
          {sentence}
        </Tooltip.Content>
      </Tooltip.Portal>
    </Tooltip.Root>
  );
}
