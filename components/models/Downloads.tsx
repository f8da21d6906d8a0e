import type { HubProgress } from '../../src/arrival/hub/hub-files';
import type { HubModels } from '../../src/arrival/hub/hub-models';
import { leftText } from '../../src/arrival/hub/rate-meter';
import { shownModel } from '../../src/arrival/model-name';
import { Button } from '../shared/Button';
import { formatBytes } from '../shared/format';
import styles from './ModelForm.module.css';
import { useHubState } from './use-hub';

/** Models on their way, each with how far it is. */
export function Downloads({ hub }: { hub: HubModels }) {
  const progress = Object.values(useHubState(hub, 'progress'));
  return progress.map((each) => <Download key={each.model} hub={hub} progress={each} />);
}

function Download({ hub, progress }: { hub: HubModels; progress: HubProgress }) {
  const { model, received, total, isPaused } = progress;
  const name = shownModel(model);
  return (
    <section className={styles.download} aria-label={`Download of ${name}`}>
      <p>
        <strong>{name}</strong> {farText(progress)}
      </p>
      <progress max={total} value={received} aria-label={`Download of ${name}`} />
      <span className={styles.buttons}>
        <Button onClick={() => hub.ask(isPaused ? 'resume' : 'pause', model)}>
          {isPaused ? 'Go on' : 'Pause'}
        </Button>
        <Button onClick={() => hub.ask('remove', model)}>Cancel</Button>
      </span>
    </section>
  );
}

function farText({ received, total, bytesPerSecond, isPaused, waiting }: HubProgress): string {
  const far = `${formatBytes(received)} of ${formatBytes(total)}`;
  if (isPaused) return `${far}, paused`;
  if (waiting !== null) return `${far}; ${waiting}`;
  if (!bytesPerSecond) return far;
  return `${far}, ${formatBytes(bytesPerSecond)}/s, ${leftText((total - received) / bytesPerSecond)} left`;
}
