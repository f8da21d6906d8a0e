import { lazy, type Ref, Suspense, useState } from 'react';
import { useMethod } from '../../src/page/hooks';
import { Button } from '../shared/Button';
import { DownIcon } from '../shared/icons';
import { Popover } from '../shared/Popover';
import styles from './MethodPicker.module.css';

/** Fetched when it is opened. */
const MethodList = lazy(async () => ({ default: (await import('./choosing')).MethodList }));

interface MethodPickerProps {
  /** The button that opens the list. */
  ref?: Ref<HTMLButtonElement>;
  onCompare: () => void;
}

/** Which method decides: a list that is searched by typing. */
export function MethodPicker({ ref, onCompare }: MethodPickerProps) {
  const method = useMethod();
  const [isOpen, setOpen] = useState(false);
  const compare = () => {
    setOpen(false);
    onCompare();
  };
  return (
    <Popover
      trigger={
        <Button ref={ref} className={styles.trigger} aria-label={`Method: ${method.title}. Change`}>
          <span className={styles.title}>{method.title}</span>
          <DownIcon />
        </Button>
      }
      aria-label="Choose a method"
      align="start"
      gap={4}
      className={styles.popover}
      isOpen={isOpen}
      onOpenChange={setOpen}
    >
      <Suspense fallback={null}>
        <MethodList onDone={() => setOpen(false)} onCompare={compare} />
      </Suspense>
    </Popover>
  );
}
