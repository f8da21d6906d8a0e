import { useState } from 'react';
import type { StoredModel } from '../../src/arrival/hub/hub-files';
import type { HubModels } from '../../src/arrival/hub/hub-models';
import { shownModel } from '../../src/arrival/model-name';
import { usePage, useSession } from '../../src/page/hooks';
import { Button } from '../shared/Button';
import { formatBytes } from '../shared/format';
import styles from './ModelForm.module.css';
import { useHubState } from './use-hub';

/** What this browser keeps: opened without a download, deleted one by one or all at once. */
export function StoredModels({ hub, onDone }: { hub: HubModels; onDone: () => void }) {
  const stored = useHubState(hub, 'stored');
  const [isSure, setSure] = useState(false);
  if (!stored?.length) return null;
  const bytes = stored.reduce((sum, each) => sum + each.bytes, 0);
  const removeAll = async () => {
    setSure(false);
    for (const { model } of stored) await hub.ask('remove', model);
  };
  return (
    <section className={styles.list} aria-label="Kept in this browser">
      <h3>Kept in this browser</h3>
      <ul>
        {stored.map((each) => (
          <Stored key={each.model} hub={hub} stored={each} onDone={onDone} />
        ))}
      </ul>
      {stored.length > 1 && (
        <Button kind="text" onClick={() => (isSure ? removeAll() : setSure(true))}>
          {isSure ? `Delete all ${stored.length} for good` : `Delete all (${formatBytes(bytes)})`}
        </Button>
      )}
    </section>
  );
}

interface StoredProps {
  hub: HubModels;
  stored: StoredModel;
  onDone: () => void;
}

function Stored({ hub, stored: { model, bytes, totalBytes, isComplete, usedAt }, onDone }: StoredProps) {
  const { actions } = usePage();
  const isOpen = useSession('model') === model;
  const isOnItsWay = model in useHubState(hub, 'progress');
  const name = shownModel(model);
  const size = isComplete ? formatBytes(bytes) : `${formatBytes(bytes)} of ${formatBytes(totalBytes)}`;
  const open = () => {
    actions.openModel(model);
    if (isComplete) onDone();
  };
  return (
    <li>
      <span>
        {name}
        <small>
          {size} · used {new Date(usedAt).toLocaleDateString('en', { dateStyle: 'medium' })}
        </small>
      </span>
      <span className={styles.buttons}>
        <Button
          disabled={isOpen && isComplete}
          hidden={isOnItsWay}
          aria-label={`${isComplete ? 'Open' : 'Download the rest of'} ${name}`}
          onClick={open}
        >
          {isOpen && isComplete ? 'Open now' : isComplete ? 'Open' : 'Download the rest'}
        </Button>
        <Button aria-label={`Delete ${name}`} onClick={() => hub.ask('remove', model)}>
          Delete
        </Button>
      </span>
    </li>
  );
}
