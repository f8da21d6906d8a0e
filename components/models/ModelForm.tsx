import type { ReactNode } from 'react';
import type { ModelFormTab } from '../../src/page/state';
import { Dialog } from '../shared/Dialog';
import { Tabs } from '../shared/Segments';
import { BundledTab } from './BundledTab';
import { FilesTab } from './FilesTab';
import { HubTab } from './HubTab';
import styles from './ModelForm.module.css';

interface Way {
  readonly value: ModelFormTab;
  readonly label: string;
  readonly content: (onDone: () => void) => ReactNode;
}

/** The ways to a model; one more is an entry here, and what it looks like when it is dropped one in src/page/recognise.ts. */
const ways: readonly Way[] = [
  { value: 'bundled', label: 'Bundled', content: (onDone) => <BundledTab onDone={onDone} /> },
  { value: 'hub', label: 'Hub', content: (onDone) => <HubTab onDone={onDone} /> },
  { value: 'files', label: 'Files', content: (onDone) => <FilesTab onDone={onDone} /> },
];

/** Chooses the model under study, in a dialog. */
export function ModelForm({ start, onClose }: { start: ModelFormTab; onClose: () => void }) {
  return (
    <Dialog
      title="Model"
      about="Models run in this page, and your text goes nowhere. Nothing is downloaded before you press a button that says so."
      className={styles.dialog}
      onClose={onClose}
    >
      <div className={styles.ways}>
        <Tabs
          aria-label="Where the model comes from"
          start={start}
          tabs={ways.map(({ content, ...way }) => ({ ...way, content: content(onClose) }))}
        />
      </div>
    </Dialog>
  );
}
