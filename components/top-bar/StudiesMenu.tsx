import studies from '../../samples/studies/ready-made.json';
import { usePage } from '../../src/page/hooks';
import { Button } from '../shared/Button';
import { Menu, MenuItem } from '../shared/Popover';
import styles from './TopBar.module.css';

/** Ready-made studies: links that show something worth seeing. */
export function StudiesMenu() {
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
