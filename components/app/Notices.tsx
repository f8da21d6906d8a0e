import { useState } from 'react';
import { useShallow } from 'zustand/react/shallow';
import { usePage, usePageState } from '../../src/page/hooks';
import { sentencesOf } from '../../src/page/link/model-address';
import { questionOf } from '../../src/page/state';
import { BUNDLED_MODEL } from '../../src/study/default-study';
import { Button } from '../shared/Button';
import { formatCount } from '../shared/format';
import { CloseIcon } from '../shared/icons';
import styles from './Notices.module.css';

/** A link may name a model anywhere, and a server may redirect to another: nothing is read from there before the person has agreed. */
function DownloadQuestion() {
  const { actions, agree } = usePage();
  const question = usePageState(useShallow(questionOf));
  if (question === null) return null;
  const { before, quoted, after, choice } = sentencesOf(question);
  return (
    <div className={styles.notice} role="alert">
      <span>
        {before}
        <q>{quoted}</q>
        {after}
      </span>
      <span className={styles.choices}>
        <Button kind="primary" onClick={agree}>
          {choice}
        </Button>
        <Button onClick={() => actions.setModel(BUNDLED_MODEL)}>Use the bundled model</Button>
      </span>
    </div>
  );
}

/** What went wrong or should be known, in a sentence each, until it is dismissed or no longer true. */
export function Notices() {
  const page = usePage();
  const error = usePageState('error');
  const textNotices = usePageState('text')?.notices;
  return (
    <div className={styles.notices} aria-live="polite">
      <DownloadQuestion />
      {error !== null && (
        <div className={`${styles.notice} ${styles.error}`} role="alert">
          <span>{error}</span>
          <Button kind="text" onClick={page.rerun}>
            Run again
          </Button>
        </div>
      )}
      {textNotices?.map((sentence) => (
        <div key={sentence} className={styles.notice}>
          <span>{sentence}</span>
        </div>
      ))}
      <Dismissible />
    </div>
  );
}

/** What was changed in the link, each in full, and below it one line for all other notices: the first, and how many more. */
function Dismissible() {
  const { actions } = usePage();
  const notices = usePageState('notices');
  const [isOpen, setOpen] = useState(false);
  const changes = notices.filter(({ isChange }) => isChange);
  const others = notices.filter(({ isChange }) => !isChange);
  const more = others.length - 1;
  const shown = [...changes, ...(isOpen ? others : others.slice(0, 1))];
  return shown.map(({ id, sentence }, at) => (
    <div key={id} className={styles.notice}>
      <span>{sentence}</span>
      {at === changes.length && more > 0 && (
        <Button kind="text" aria-expanded={isOpen} onClick={() => setOpen(!isOpen)}>
          {isOpen ? 'Show less' : `and ${formatCount(more)} more`}
        </Button>
      )}
      <Button kind="icon" aria-label="Dismiss this notice" onClick={() => actions.dismiss(id)}>
        <CloseIcon />
      </Button>
    </div>
  ));
}
