import { type ComponentProps, createElement, type ReactNode } from 'react';
import { useChoice, useIsStale, usePage, usePageState } from '../../src/page/hooks';
import type { MeasuredBy } from '../../src/page/measured';
import { staleName, wholeName } from './provenance';
import styles from './Stale.module.css';

type StaleTag = 'section' | 'div' | 'ul' | 'g' | 'path';

type StaleProps<Tag extends StaleTag> = Omit<ComponentProps<Tag>, 'as' | 'by'> & {
  as: Tag;
  /** What made the values inside; null: there are none. */
  by: MeasuredBy | null;
};

/** An element that marks what another choice than the present one has made. Its contents are left alone when that changes. */
export function Stale<Tag extends StaleTag>({ as, by, ...rest }: StaleProps<Tag>) {
  return createElement(as, { ...rest, 'data-stale': useIsStale(by) || undefined });
}

/** Whose values these are while they are stale; `otherwise` while they are not. */
export function StaleName({ by, otherwise = null }: { by: MeasuredBy | null; otherwise?: ReactNode }) {
  const isStale = useIsStale(by);
  return isStale && by ? <Name by={by} /> : otherwise;
}

/** What can be asked for while nothing runs and the values are those of the present choice. */
export function AtRest({ by, children }: { by: MeasuredBy | null; children: ReactNode }) {
  const isRunning = usePageState('running');
  const isStale = useIsStale(by);
  return isRunning || isStale ? null : children;
}

/** Whose values these are in a line of its own, for a part of a panel. */
export function StaleLine({ by }: { by: MeasuredBy | null }) {
  const isStale = useIsStale(by);
  if (!isStale || !by) return null;
  return (
    <p className={styles.line}>
      <Name by={by} />
    </p>
  );
}

function Name({ by }: { by: MeasuredBy }) {
  const { findMethod } = usePage();
  return (
    <span className={styles.stale} title={`Measured before: ${wholeName(by, findMethod)}`}>
      still {staleName(by, useChoice(), findMethod)}
    </span>
  );
}
