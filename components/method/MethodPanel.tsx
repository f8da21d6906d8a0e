import { lazy, Suspense, useRef, useState } from 'react';
import { fingerprint } from '../../src/base/fingerprint';
import type { MethodSpec } from '../../src/methods/method-spec';
import type { Preset } from '../../src/methods/presets';
import { useIsPinned, useMethod, usePage, usePageState, usePresets, useSession } from '../../src/page/hooks';
import { Button } from '../shared/Button';
import { ErrorText } from '../shared/Field';
import { formatPercent } from '../shared/format';
import { CloseIcon } from '../shared/icons';
import { NothingDropped } from '../shared/NothingDropped';
import { Panel } from '../shared/Panel';
import { Term } from '../shared/Term';
import { shortAuthors } from './citation';
import { KeptFile } from './KeptFile';
import styles from './MethodPanel.module.css';
import { MethodPicker } from './MethodPicker';
import { MethodNotices, Parameters } from './Parameters';
import { QuerySees } from './QuerySees';

/** The method, what it lets a query see, and all its controls. */
export function MethodPanel() {
  const method = useMethod();
  const error = usePageState('problem');
  return (
    <Panel title="Method" name="method">
      <MethodChoice />
      <p className={styles.summary}>
        {method.summary}{' '}
        {method.citation && (
          <a href={method.citation.url} target="_blank" rel="noreferrer" title={method.citation.authors}>
            {shortAuthors(method.citation.authors)} {method.citation.year}
          </a>
        )}
      </p>
      <HowItWorks />
      <h3 className={styles.heading}>What the query sees</h3>
      <QuerySees />
      <h3 className={styles.heading}>Parameters</h3>
      <Presets />
      <NothingDropped className={styles.nothingDropped} />
      {error !== null && <ErrorText role="alert">{error}</ErrorText>}
      <Parameters />
      <MethodNotices />
      <Pins />
      <KeptFile />
    </Panel>
  );
}

/** Fetched when they are opened. */
const MethodTable = lazy(async () => ({ default: (await import('./choosing')).MethodTable }));

const Explained = lazy(async () => ({ default: (await import('./Explained')).Explained }));

/** What can be said of a method beyond its summary; not of one that a file brought. */
function HowItWorks() {
  const { methods } = usePage();
  const method = useMethod();
  const [isOpen, setOpen] = useState(false);
  if (!methods.includes(method)) return null;
  return (
    <details
      className={styles.explained}
      open={isOpen}
      onToggle={(event) => setOpen(event.currentTarget.open)}
    >
      <summary>How it decides, and what it keeps</summary>
      {isOpen && (
        <Suspense fallback={null}>
          <Explained method={method} />
        </Suspense>
      )}
    </details>
  );
}

/** The list to choose from, and the table that it opens. */
function MethodChoice() {
  const [isComparing, setComparing] = useState(false);
  const picker = useRef<HTMLButtonElement>(null);
  return (
    <>
      <MethodPicker ref={picker} onCompare={() => setComparing(true)} />
      {isComparing && (
        <Suspense fallback={null}>
          <MethodTable onClose={() => setComparing(false)} onClosed={() => picker.current?.focus()} />
        </Suspense>
      )}
    </>
  );
}

const PRESETS: Readonly<Record<Preset['name'], { readonly label: string; readonly help: string }>> = {
  scaled: { label: 'Scaled to this text', help: 'The defaults for this text’s length and this model.' },
  paper: {
    label: 'As in the paper',
    help: 'The paper’s values, as far as it gives them and this text and model allow them.',
  },
  code: {
    label: 'As in the authors’ code',
    help: 'The values in the code of the paper’s authors, as far as this text and model allow them.',
  },
  kvpress: {
    label: 'kvpress’s defaults',
    help: 'The defaults of NVIDIA’s kvpress, as far as this text and model allow them. The kept fraction stays: kvpress removes nothing until one is asked for.',
  },
};

/** Sets of parameters, one click away. */
function Presets() {
  const { actions } = usePage();
  const isQueryTyped = typeof useSession('queriesStart') === 'number';
  return (
    <div className={styles.presets}>
      {usePresets().map(({ preset, isChosen, isElsewhere }) => {
        const { label, help } = PRESETS[preset.name];
        // Methods evict before a first query that was typed, whatever the preset.
        const place = !isQueryTyped && preset.evictAfter && `after the ${preset.evictAfter}`;
        const evicting = preset.name === 'scaled' ? 'by default' : 'its source evicts';
        // The blanks keep what is read out apart.
        return (
          <Button
            key={preset.name}
            className={styles.preset}
            aria-pressed={isChosen}
            title={place ? `${help} In a task it evicts ${place}.` : help}
            onClick={() => actions.choosePreset(preset)}
          >
            {label}
            {preset.sameAs && <small> same as {PRESETS[preset.sameAs].label} here</small>}
            {place && <small> {isChosen && isElsewhere ? `${evicting} ${place}` : place}</small>}
          </Button>
        );
      })}
    </div>
  );
}

/** Methods that stay for comparison. */
function Pins() {
  const { actions, findMethod, store } = usePage();
  const method = useMethod();
  const pinned = useSession('pinned');
  const isPinned = useIsPinned();
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
        <Button
          kind="text"
          className={styles.pin}
          onClick={() => actions.pin(store.getState().session.method)}
        >
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
