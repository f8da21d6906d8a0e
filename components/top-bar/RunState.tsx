import { useOrigin, usePage, usePageState } from '../../src/page/hooks';
import { Button } from '../shared/Button';
import { Term } from '../shared/Term';
import styles from './TopBar.module.css';

/** Runs shorter than this need no estimate. */
const WORTH_SAYING = 10;

/** What is running and how far it is, or where the numbers come from. */
export function RunState() {
  const page = usePage();
  const isRunning = usePageState('running');
  const progress = usePageState('progress');
  const origin = useOrigin();
  const percent = Math.round((progress?.fraction ?? 0) * 100);
  const seconds = progress?.expectedSeconds ?? 0;
  return (
    <div className={styles.run}>
      {isRunning && (
        <>
          <progress
            className={styles.progress}
            max={100}
            value={percent}
            aria-label={progress?.label || 'running'}
          />
          <span className={styles.label}>
            {progress?.label || 'running'}
            {seconds >= WORTH_SAYING && `, about ${Math.round(seconds)} s in all`}
          </span>
          <Button kind="text" onClick={page.cancel}>
            Cancel
          </Button>
        </>
      )}
      {origin && (
        <span className={styles.origin} data-origin={origin}>
          <Term name={origin}>{origin}</Term>
        </span>
      )}
    </div>
  );
}

const names = { starting: 'Starting', webgpu: 'WebGPU', cpu: 'CPU' } as const;

/** Which backend computes, on what, and why that one. */
export function BackendBadge() {
  const { name, description, reason } = usePageState('backend');
  return (
    <span className={styles.backend}>
      <Term text={`${reason}${name === 'starting' ? '' : ` (${description})`}`}>{names[name]}</Term>
      {name !== 'starting' && (
        <span className={styles.description}>{description.replace(/^CPU,? */, '')}</span>
      )}
    </span>
  );
}
