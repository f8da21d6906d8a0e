import { lazy, Suspense, useState } from 'react';
import { fingerprint } from '../../src/base/fingerprint';
import type { Method } from '../../src/methods/method';
import type { MethodSpec } from '../../src/methods/method-spec';
import {
  completeParameters,
  givenTables,
  type ParameterContext,
  type Parameters as ParameterSet,
} from '../../src/methods/parameters';
import {
  useIsPinned,
  useMethod,
  usePage,
  usePageState,
  useParameterContext,
  useSession,
} from '../../src/page/hooks';
import { defaultParameters } from '../../src/study/default-study';
import { Button } from '../shared/Button';
import { ErrorText } from '../shared/Field';
import { formatPercent } from '../shared/format';
import { CloseIcon } from '../shared/icons';
import { Panel } from '../shared/Panel';
import { Term } from '../shared/Term';
import { shortAuthors } from './citation';
import { KeptFile } from './KeptFile';
import { MethodPicker } from './MethodList';
import styles from './MethodPanel.module.css';
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
      {error !== null && <ErrorText role="alert">{error}</ErrorText>}
      <Parameters />
      <MethodNotices />
      <Pins />
      <KeptFile />
    </Panel>
  );
}

/** Fetched when they are opened. */
const MethodTable = lazy(async () => ({ default: (await import('./MethodTable')).MethodTable }));

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
  return (
    <>
      <MethodPicker onCompare={() => setComparing(true)} />
      {isComparing && (
        <Suspense fallback={null}>
          <MethodTable onClose={() => setComparing(false)} />
        </Suspense>
      )}
    </>
  );
}

/** Whole sets of parameters, one click away. */
function Presets() {
  const { actions, store } = usePage();
  const method = useMethod();
  const context = useParameterContext();
  const schemas = Object.values(method.parameters);
  // What came from outside stays: no preset has it.
  const keepTables = (preset: ParameterSet): ParameterSet => ({
    ...preset,
    ...givenTables(store.getState().session.method.parameters),
  });
  if (schemas.length === 0) return null;
  return (
    <div className={styles.presets}>
      <Button
        className={styles.preset}
        title="The defaults for this text's length and this model"
        onClick={() => actions.setParameters(keepTables(defaultParameters(method, context)), true)}
      >
        Scaled to this text
      </Button>
      {schemas.some((schema) => schema.paper !== undefined) && (
        <Button
          className={styles.preset}
          title="The paper's values, as far as this text and model allow them"
          onClick={() => actions.setParameters(keepTables(paperParameters(method, context)), true)}
        >
          As in the paper
        </Button>
      )}
    </div>
  );
}

/** The paper's values where it gives them; counts larger than the text allows are cut to what it does. */
function paperParameters(method: Method, context: ParameterContext): ParameterSet {
  const given = Object.entries(method.parameters).flatMap(([name, schema]) => {
    if (schema.paper === undefined) return [];
    const value = schema.kind === 'count' ? Math.min(schema.paper, schema.maximum(context)) : schema.paper;
    return [[name, value] as const];
  });
  return completeParameters(method, Object.fromEntries(given), context);
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
