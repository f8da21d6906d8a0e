import { Dialog as RadixDialog } from 'radix-ui';
import type { ReactNode } from 'react';
import { Button } from './Button';
import { classNames } from './class-names';
import styles from './Dialog.module.css';
import { CloseIcon } from './icons';

interface DialogProps {
  title: string;
  /** A sentence or two below the title. */
  about: ReactNode;
  className?: string;
  onClose: () => void;
  /** Once it is gone, where what opened it is gone, too: puts the focus somewhere. Left out: it goes back to where it was. */
  onClosed?: () => void;
  children: ReactNode;
}

/** A window over the page, as long as it is rendered. */
export function Dialog({ title, about, className, onClose, onClosed, children }: DialogProps) {
  return (
    <RadixDialog.Root open onOpenChange={(isOpen) => isOpen || onClose()}>
      <RadixDialog.Portal>
        <RadixDialog.Overlay className={styles.overlay} />
        <RadixDialog.Content
          className={classNames(styles.dialog, className)}
          onCloseAutoFocus={(event) => {
            if (!onClosed) return;
            event.preventDefault();
            onClosed();
          }}
        >
          <header className={styles.head}>
            <RadixDialog.Title>{title}</RadixDialog.Title>
            <RadixDialog.Close asChild>
              <Button kind="icon" aria-label="Close">
                <CloseIcon />
              </Button>
            </RadixDialog.Close>
          </header>
          <RadixDialog.Description className={styles.about}>{about}</RadixDialog.Description>
          {children}
        </RadixDialog.Content>
      </RadixDialog.Portal>
    </RadixDialog.Root>
  );
}
