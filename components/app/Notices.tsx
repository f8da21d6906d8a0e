import { usePage, usePageState } from '../../src/session/hooks';
import { CloseIcon } from '../shared/icons';

/** What went wrong or has to be known, one sentence each, until it is dismissed or no longer true. */
export function Notices() {
  const page = usePage();
  const notices = usePageState((state) => state.notices);
  const error = usePageState((state) => state.error);
  const textNotices = usePageState((state) => state.text?.notices);
  return (
    <div className="notices" aria-live="polite">
      {error !== null && (
        <div className="notice notice-error" role="alert">
          <span>{error}</span>
          <button type="button" className="text-button" onClick={page.rerun}>
            Run again
          </button>
        </div>
      )}
      {textNotices?.map((sentence) => (
        <div key={sentence} className="notice">
          <span>{sentence}</span>
        </div>
      ))}
      {notices.map(({ id, sentence }) => (
        <div key={id} className="notice">
          <span>{sentence}</span>
          <button
            type="button"
            className="icon-button"
            aria-label="Dismiss this notice"
            onClick={() => page.actions.dismiss(id)}
          >
            <CloseIcon />
          </button>
        </div>
      ))}
    </div>
  );
}
