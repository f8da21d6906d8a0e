import { fingerprint } from '../../src/base/fingerprint';
import type { MethodSpec } from '../../src/methods/method-spec';
import { useMethod, usePage, usePageState } from '../../src/page/hooks';
import { Button } from '../shared/Button';
import { formatPercent } from '../shared/format';
import { CloseIcon } from '../shared/icons';
import { Term } from '../shared/Term';
import styles from './MethodPanel.module.css';

/** Methods that stay for comparison. */
export function Pins() {
  const { actions, findMethod } = usePage();
  const method = useMethod();
  const pinned = usePageState((state) => state.session.pinned);
  const current = usePageState((state) => state.session.method);
  const isPinned = pinned.some((known) => fingerprint(known) === fingerprint(current));
  return (
    <div className={styles.pins}>
      <h3 className={styles.heading}>
        <Term name="pinned">Pinned for comparison</Term>
      </h3>
      <ul>
        {pinned.map((spec, index) => {
          const title = findMethod(spec.id)?.title ?? spec.id;
          return (
            <li key={fingerprint(spec)}>
              <span title={describe(spec)}>{title}</span>
              <Button kind="icon" aria-label={`Unpin ${title}`} onClick={() => actions.unpin(index)}>
                <CloseIcon />
              </Button>
            </li>
          );
        })}
      </ul>
      {!isPinned && (
        <Button kind="text" className={styles.pin} onClick={() => actions.pin(current)}>
          Pin {method.title} as it is
        </Button>
      )}
    </div>
  );
}

function describe({ parameters }: MethodSpec): string {
  return Object.entries(parameters)
    .map(([name, value]) =>
      name === 'keepFraction' && typeof value === 'number'
        ? `keeps ${formatPercent(value)}`
        : `${name} ${String(value)}`,
    )
    .join(', ');
}
