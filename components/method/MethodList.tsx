import { type KeyboardEvent, useEffect, useId, useMemo, useRef, useState } from 'react';
import { findMethods, groupMethods, type ListedMethod } from '../../src/page/find-methods';
import { useMethod, usePage, usePageState, useParameterContext } from '../../src/page/hooks';
import { type SaidOf, wordsOf } from '../../src/page/method-words';
import { Button } from '../shared/Button';
import { Input } from '../shared/Field';
import { Hidden } from '../shared/Text';
import { citationText } from './citation';
import styles from './MethodList.module.css';
import { useMethodFacts } from './use-method-facts';

/** Rows that Page Up and Page Down move by. */
const PAGE = 5;

/**
 * A combobox over its listbox (WAI-ARIA's pattern): the focus stays in the field, arrows move through the options, Enter chooses. Those
 * that cannot be chosen are stepped on as well, for they say why.
 */
export function MethodList({ onDone, onCompare }: { onDone: () => void; onCompare: () => void }) {
  const { methods, actions, findMethod } = usePage();
  const imported = usePageState('imported');
  const chosen = useMethod().id;
  const context = useParameterContext();
  const id = useId();
  const [text, setText] = useState('');
  const [active, setActive] = useState<string | null>(chosen);
  const list = useRef<HTMLDivElement>(null);
  const all = useMemo(
    () =>
      groupMethods(
        methods,
        imported.flatMap((id) => findMethod(id) ?? []),
        context,
      ),
    [methods, imported, findMethod, context],
  );
  const allFacts = useMethodFacts();
  const find = useMemo(() => {
    let saidOf: ReadonlyMap<string, SaidOf>;
    return (typed: string) => {
      // Nothing is looked for until something is typed.
      if (typed.trim() === '') return all;
      saidOf ??= new Map(allFacts().map((facts) => [facts.id, wordsOf(facts, findMethod(facts.id)!)]));
      return findMethods(all, typed, saidOf);
    };
  }, [all, allFacts, findMethod]);
  const groups = useMemo(() => find(text), [find, text]);
  const listed = groups.flatMap((group) => group.methods);
  const at = listed.findIndex((method) => method.id === active);
  const current = listed[at];
  const optionId = (of: string) => `${id}-${of}`;

  const isOpening = useRef(true);
  useEffect(() => {
    // The popover has its height from the next frame on. The chosen one is first seen among its neighbours.
    const frame = requestAnimationFrame(() => {
      const block = isOpening.current ? 'center' : 'nearest';
      isOpening.current = false;
      list.current?.querySelector(`[data-method="${active}"]`)?.scrollIntoView({ block });
    });
    return () => cancelAnimationFrame(frame);
  }, [active]);

  const search = (next: string) => {
    setText(next);
    const found = find(next).flatMap((group) => group.methods);
    const keeps = next === '' && found.some((method) => method.id === chosen);
    setActive(keeps ? chosen : (found[0]?.id ?? null));
  };
  const choose = (method: ListedMethod | undefined) => {
    if (!method || method.reason !== null) return;
    actions.setMethod(method.id);
    onDone();
  };
  const press = (event: KeyboardEvent) => {
    const steps: Record<string, number> = { ArrowDown: 1, ArrowUp: -1, PageDown: PAGE, PageUp: -PAGE };
    const step = steps[event.key];
    if (step !== undefined && listed.length > 0) {
      // Single steps go round; pages stop at the ends.
      const next = at < 0 ? 0 : at + step;
      const isSingle = Math.abs(step) === 1;
      const last = listed.length - 1;
      const place = isSingle ? (next + listed.length) % listed.length : Math.min(last, Math.max(0, next));
      setActive(listed[place]!.id);
    } else if (event.key === 'Enter') choose(current);
    else return;
    event.preventDefault();
  };

  return (
    <>
      <Input
        className={styles.search}
        // It comes after its popover, which has the focus until then.
        autoFocus
        role="combobox"
        aria-label="Search methods"
        aria-expanded="true"
        aria-autocomplete="list"
        aria-controls={`${id}-list`}
        aria-activedescendant={current && optionId(current.id)}
        placeholder="Title, paper, author, rule, phase, kvpress name"
        autoComplete="off"
        spellCheck={false}
        value={text}
        onChange={(event) => search(event.target.value)}
        onKeyDown={press}
      />
      <div ref={list} id={`${id}-list`} role="listbox" aria-label="Methods" className={styles.list}>
        {groups.map((group) => (
          // biome-ignore lint/a11y/useSemanticElements: a group of options is no fieldset
          <div key={group.title} role="group" aria-label={group.title}>
            <div className={styles.group} aria-hidden="true">
              {group.title}
            </div>
            {group.methods.map((method) => (
              // biome-ignore lint/a11y/useFocusableInteractive: the focus stays in the field
              // biome-ignore lint/a11y/useKeyWithClickEvents: the field hears the keys
              <div
                key={method.id}
                id={optionId(method.id)}
                role="option"
                data-method={method.id}
                aria-selected={method.id === chosen}
                aria-disabled={method.reason !== null}
                data-active={method.id === current?.id}
                className={styles.option}
                onClick={() => {
                  setActive(method.id);
                  choose(method);
                }}
                // The field keeps the focus.
                onMouseDown={(event) => event.preventDefault()}
                onMouseMove={() => setActive(method.id)}
              >
                <span>{method.title}</span>
                <small>{method.summary}</small>
                {method.reason !== null && <small>{method.reason}</small>}
              </div>
            ))}
          </div>
        ))}
      </div>
      <Hidden role="status">{listed.length === 1 ? '1 method' : `${listed.length} methods`}</Hidden>
      {listed.length === 0 && <p className={styles.none}>No method has these words.</p>}
      <div className={styles.foot}>
        <Source method={current} />
        <Button kind="text" onClick={onCompare}>
          Compare in a table
        </Button>
      </div>
    </>
  );
}

/** Where to read about the method that the list stands on: an option can hold no link. */
function Source({ method }: { method: ListedMethod | undefined }) {
  if (!method?.source) return <span />;
  return (
    <a href={method.source.url} target="_blank" rel="noreferrer">
      {citationText(method)}
    </a>
  );
}
