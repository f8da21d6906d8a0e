import { type ReactNode, useId } from 'react';
import { CopyMenu, type CopySource } from './CopyMenu';

interface PanelProps {
  title: ReactNode;
  /** A short remark right of the title. */
  aside?: ReactNode;
  copy?: CopySource;
  /** The numbers belong to an earlier run. */
  isStale?: boolean;
  className?: string;
  children: ReactNode;
}

/** A titled region of the page. */
export function Panel({ title, aside, copy, isStale = false, className = '', children }: PanelProps) {
  const id = useId();
  return (
    <section className={`panel ${className}`} aria-labelledby={id} data-stale={isStale || undefined}>
      <header className="panel-head">
        <h2 id={id}>{title}</h2>
        <span className="panel-aside">{aside}</span>
        {copy && <CopyMenu source={copy} />}
      </header>
      {children}
    </section>
  );
}
