import { useOrigin, usePage, usePageState } from '../../src/page/hooks';
import { Term } from '../shared/Term';

/** Below it nobody needs to know how long a run takes. */
const worthSaying = 10;

/** What runs and how far, or where the numbers come from. */
export function RunState() {
  const page = usePage();
  const isRunning = usePageState((state) => state.running);
  const progress = usePageState((state) => state.progress);
  const origin = useOrigin();
  const percent = Math.round((progress?.fraction ?? 0) * 100);
  const seconds = progress?.expectedSeconds ?? 0;
  return (
    <div className="run-state">
      {isRunning && (
        <>
          <progress
            className="progress"
            max={100}
            value={percent}
            aria-label={progress?.label || 'running'}
          />
          <span className="run-label">
            {progress?.label || 'running'}
            {seconds >= worthSaying && `, about ${Math.round(seconds)} s in all`}
          </span>
          <button type="button" className="text-button" onClick={page.cancel}>
            Cancel
          </button>
        </>
      )}
      {origin && (
        <span className="origin" data-origin={origin}>
          <Term name={origin}>{origin}</Term>
        </span>
      )}
    </div>
  );
}
