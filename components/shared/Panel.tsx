import { type ReactNode, useId } from 'react';
import { useChoice, usePage } from '../../src/page/hooks';
import type { MeasuredBy } from '../../src/page/measured';
import { CopyMenu, type CopySource } from './CopyMenu';
import { type Provenance, staleName, wholeName } from './provenance';

interface PanelProps {
  title: ReactNode;
  /** A short remark right of the title. */
  aside?: ReactNode;
  copy?: CopySource;
  /** Numbers of another choice are grey, and the panel says whose they are. */
  provenance?: Provenance | null;
  /** Where the data that can be copied are made by something else than the picture. */
  copyProvenance?: Provenance | null;
  className?: string;
  children: ReactNode;
}

/** A titled region of the page. */
export function Panel({
  title,
  aside,
  copy,
  provenance,
  copyProvenance,
  className = '',
  children,
}: PanelProps) {
  const id = useId();
  const isStale = provenance?.isStale ?? false;
  return (
    <section className={`panel ${className}`} aria-labelledby={id} data-stale={isStale || undefined}>
      <header className="panel-head">
        <h2 id={id}>{title}</h2>
        <span className="panel-aside">
          {isStale && provenance ? <StaleName by={provenance.by} /> : aside}
        </span>
        {copy && <CopyMenu source={copy} provenance={copyProvenance ?? provenance ?? null} />}
      </header>
      {children}
    </section>
  );
}

/** Whose numbers these are, while they are not those of the present choice. */
export function StaleName({ by }: { by: MeasuredBy }) {
  const { findMethod } = usePage();
  return (
    <span className="stale-name" title={`Measured before: ${wholeName(by, findMethod)}`}>
      still {staleName(by, useChoice(), findMethod)}
    </span>
  );
}
