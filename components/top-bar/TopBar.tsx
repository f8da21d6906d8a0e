import studies from '../../samples/studies/ready-made.json';
import { usePage, useView } from '../../src/page/hooks';
import { ModelButton } from '../models/ModelButton';
import { Button } from '../shared/Button';
import { KeyholeIcon, ThemeIcon } from '../shared/icons';
import { Menu, MenuItem } from '../shared/Popover';
import { BackendBadge, RunState } from './RunState';
import { ShareButton } from './ShareButton';
import { SourcePicker } from './SourcePicker';
import styles from './TopBar.module.css';

export function TopBar() {
  const { actions } = usePage();
  const theme = useView('theme');
  const other = theme === 'dark' ? 'light' : 'dark';
  return (
    <header className={styles.bar}>
      <h1>
        <KeyholeIcon />
        Keyhole
      </h1>
      <ModelButton />
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

/** Ready-made studies: links that show something worth seeing. */
function StudiesMenu() {
  const page = usePage();
  const theme = () => page.store.getState().session.view.theme;
  return (
    <Menu trigger={<Button>Studies</Button>} aria-label="Studies" className={styles.studies}>
      {studies.map(({ title, sentence, link }) => (
        <MenuItem key={title} closes onClick={() => page.visit(`${link}&theme=${theme()}`)}>
          <strong>{title}</strong>
          <small>{sentence}</small>
        </MenuItem>
      ))}
    </Menu>
  );
}
