import { usePage, usePageState } from '../../src/page/hooks';
import { KeyholeIcon, ThemeIcon } from '../shared/icons';
import { BackendBadge } from './BackendBadge';
import { RunState } from './RunState';
import { ShareButton } from './ShareButton';
import { SourcePicker } from './SourcePicker';
import { StudiesMenu } from './StudiesMenu';
import './top-bar.css';

export function TopBar() {
  const { actions } = usePage();
  const theme = usePageState((state) => state.session.view.theme);
  const other = theme === 'dark' ? 'light' : 'dark';
  return (
    <header className="top-bar">
      <h1>
        <KeyholeIcon />
        Keyhole
      </h1>
      <SourcePicker />
      <p className="what-it-is">
        See what every query attends to, what a selective method keeps of it, and what that does to the
        answer.
      </p>
      <RunState />
      <BackendBadge />
      <StudiesMenu />
      <ShareButton />
      <button
        type="button"
        className="button theme-button"
        aria-label={`Switch to the ${other} theme`}
        onClick={() => actions.setView({ theme: other }, true)}
      >
        <ThemeIcon />
      </button>
    </header>
  );
}
