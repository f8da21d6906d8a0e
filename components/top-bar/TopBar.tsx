import { usePage, usePageState } from '../../src/page/hooks';
import { Button } from '../shared/Button';
import { KeyholeIcon, ThemeIcon } from '../shared/icons';
import { BackendBadge, RunState } from './RunState';
import { ShareButton } from './ShareButton';
import { SourcePicker } from './SourcePicker';
import { StudiesMenu } from './StudiesMenu';
import styles from './TopBar.module.css';

export function TopBar() {
  const { actions } = usePage();
  const theme = usePageState((state) => state.session.view.theme);
  const other = theme === 'dark' ? 'light' : 'dark';
  return (
    <header className={styles.bar}>
      <h1>
        <KeyholeIcon />
        Keyhole
      </h1>
      <SourcePicker />
      <p className={styles.what}>
        See what every query attends to, what a selective method keeps of it, and what that does to the
        answer.
      </p>
      <RunState />
      <BackendBadge />
      <StudiesMenu />
      <ShareButton />
      <Button
        className={styles.theme}
        aria-label={`Switch to the ${other} theme`}
        onClick={() => actions.setView({ theme: other }, true)}
      >
        <ThemeIcon />
      </Button>
    </header>
  );
}
