import { type ReactNode, useId } from 'react';
import { useChoice, usePage } from '../../src/page/hooks';
import type { MeasuredBy } from '../../src/page/measured';
import { CopyMenu, type CopySource } from './CopyMenu';
import { classNames } from './class-names';
import styles from './Panel.module.css';
import { type Provenance, staleName, wholeName } from './provenance';

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
  /** Stale numbers are grey, and the panel says whose they are. */
  provenance?: Provenance | null;
  /** Of the data that can be copied, where it differs from the picture's. */
  copyProvenance?: Provenance | null;
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
  provenance,
  copyProvenance,
  className,
  children,
}: PanelProps) {
  const id = useId();
  const isStale = provenance?.isStale ?? false;
  return (
    <section
      className={classNames(styles.panel, className)}
      aria-labelledby={id}
      data-panel={name}
      data-stale={isStale || undefined}
    >
      <header className={classNames(styles.head, isAsideWide && styles.wide)}>
        <h2 id={id}>{title}</h2>
        <span className={styles.aside}>
          {isStale && provenance ? <StaleName by={provenance.by} /> : aside}
        </span>
        {copy && <CopyMenu source={copy} provenance={copyProvenance ?? provenance ?? null} />}
      </header>
      {children}
    </section>
  );
}

/** Whose numbers these are, while they are stale. */
function StaleName({ by }: { by: MeasuredBy }) {
  const { findMethod } = usePage();
  return (
    <span className={styles.stale} title={`Measured before: ${wholeName(by, findMethod)}`}>
      still {staleName(by, useChoice(), findMethod)}
    </span>
  );
}

/** The same in a line of its own, for a part of a panel. */
export function StaleLine({ provenance }: { provenance: Provenance | null }) {
  if (!provenance?.isStale) return null;
  return (
    <p className={styles.line}>
      <StaleName by={provenance.by} />
    </p>
  );
}
