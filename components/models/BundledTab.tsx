import { usePage, useSession } from '../../src/page/hooks';
import { BUNDLED_MODEL } from '../../src/study/default-study';
import { Button } from '../shared/Button';
import styles from './ModelForm.module.css';

/** The model that comes with the page. */
export function BundledTab({ onDone }: { onDone: () => void }) {
  const { actions } = usePage();
  const isOpen = useSession('model') === BUNDLED_MODEL;
  return (
    <div className={styles.way}>
      <p>
        A model of 8 layers and 3.5 M parameters, trained to look up needles in the tasks that come with the
        page. It is there at once, and its default study is recorded.
      </p>
      <Button
        kind="primary"
        disabled={isOpen}
        onClick={() => {
          actions.openModel(BUNDLED_MODEL);
          onDone();
        }}
      >
        {isOpen ? 'Open now' : 'Use the bundled model'}
      </Button>
    </div>
  );
}
