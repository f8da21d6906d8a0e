import type { HubModels } from '../../src/arrival/hub/hub-models';
import { Curated } from './Curated';
import { Downloads } from './Downloads';
import { FoundModel } from './FoundModel';
import { HubSettingsForm } from './HubSettingsForm';
import { LookUpForm } from './LookUpForm';
import styles from './ModelForm.module.css';
import { StoredModels } from './StoredModels';
import { useHub, useHubState } from './use-hub';
import { useLookUp } from './use-look-up';

/** A model of a hub: looked up, downloaded, kept. */
export function HubTab({ onDone }: { onDone: () => void }) {
  const hub = useHub();
  return hub === null ? <p className={styles.way}>…</p> : <Hub hub={hub} onDone={onDone} />;
}

function Hub({ hub, onDone }: { hub: HubModels; onDone: () => void }) {
  const notices = useHubState(hub, 'notices');
  const lookUp = useLookUp(hub);
  return (
    <div className={styles.way}>
      <LookUpForm lookUp={lookUp} />
      {lookUp.found && <FoundModel key={lookUp.found.model} hub={hub} found={lookUp.found} onDone={onDone} />}
      <Downloads hub={hub} />
      {notices.map((sentence) => (
        <p key={sentence} role="status">
          {sentence}
        </p>
      ))}
      <StoredModels hub={hub} onDone={onDone} />
      <Curated onChoose={lookUp.look} />
      <HubSettingsForm hub={hub} />
    </div>
  );
}
