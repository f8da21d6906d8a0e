import { type ReactNode, useId } from 'react';
import type { MeasuredBy } from '../../src/page/measured';
import { CopyMenu, type CopySource } from './CopyMenu';
import { classNames } from './class-names';
import styles from './Panel.module.css';
import { Stale, StaleName } from './Stale';

type PanelName = 'answer' | 'map' | 'tokens' | 'method' | 'kept' | 'sweep' | 'recall';

interface PanelProps {
  /** The layout places panels by it. */
  name: PanelName;
  title: ReactNode;
  /** A short remark right of the title. */
  aside?: ReactNode;
  /** More than a remark: it gets a line of its own where the page is narrow. */
  isAsideWide?: boolean;
  copy?: CopySource;
  /** What made the numbers. Stale ones are grey, and the panel says whose they are. */
  by?: MeasuredBy | null;
  className?: string;
  children: ReactNode;
}

/** A titled region of the page. */
export function Panel({
  name,
  title,
  aside,
  isAsideWide = false,
  copy,
  by = null,
  className,
  children,
}: PanelProps) {
  const id = useId();
  return (
    <Stale
      as="section"
      by={by}
      className={classNames(styles.panel, className)}
      aria-labelledby={id}
      data-panel={name}
    >
      <header className={classNames(styles.head, isAsideWide && styles.wide)}>
        <h2 id={id}>{title}</h2>
        <span className={styles.aside}>
          <StaleName by={by} otherwise={aside} />
        </span>
        {copy && <CopyMenu source={copy} />}
      </header>
      {children}
    </Stale>
  );
}
