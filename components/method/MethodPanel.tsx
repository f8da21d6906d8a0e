import { Select } from 'radix-ui';
import { methodNotices } from '../../src/engine/notices';
import { useMethod, usePage, usePageState, useParameterContext } from '../../src/page/hooks';
import { presentRecord } from '../../src/page/measured';
import { Button } from '../shared/Button';
import { Problem } from '../shared/Field';
import { DownIcon } from '../shared/icons';
import { Panel } from '../shared/Panel';
import { menuClass } from '../shared/Popover';
import styles from './MethodPanel.module.css';
import { Parameters } from './Parameters';
import { Pins } from './Pins';
import { Presets } from './Presets';
import { QuerySees } from './QuerySees';

/** The method, what it lets a query see, and all its controls. */
export function MethodPanel() {
  const method = useMethod();
  const context = useParameterContext();
  const parameters = usePageState((state) => state.session.method.parameters);
  const problem = usePageState((state) => state.problem);
  const assumptions = usePageState(({ records, session }) => presentRecord(records, session)?.assumptions);
  const notes = problem === null ? methodNotices(method, parameters, context, assumptions) : [];
  return (
    <Panel title="Method" name="method">
      <MethodPicker />
      <p className={styles.summary}>
        {method.summary}{' '}
        {method.citation && (
          <a href={method.citation.url} target="_blank" rel="noreferrer" title={method.citation.authors}>
            {shortAuthors(method.citation.authors)} {method.citation.year}
          </a>
        )}
      </p>
      <h3 className={styles.heading}>What the query sees</h3>
      <QuerySees />
      <h3 className={styles.heading}>Parameters</h3>
      <Presets />
      {problem !== null && <Problem role="alert">{problem}</Problem>}
      <Parameters />
      {notes.map((note) => (
        <p key={note} className={styles.note}>
          {note}
        </p>
      ))}
      <Pins />
    </Panel>
  );
}

/** Which method decides, with a sentence on each. */
function MethodPicker() {
  const { methods, actions } = usePage();
  const method = useMethod();
  return (
    <Select.Root value={method.id} onValueChange={actions.setMethod}>
      <Select.Trigger asChild aria-label="Method">
        <Button className={styles.trigger}>
          <Select.Value>{method.title}</Select.Value>
          <DownIcon />
        </Button>
      </Select.Trigger>
      <Select.Portal>
        <Select.Content className={`${menuClass} ${styles.list}`} position="popper" sideOffset={4}>
          <Select.Viewport>
            {methods.map(({ id, title, summary }) => (
              <Select.Item key={id} value={id} className={styles.item} textValue={title}>
                <Select.ItemText>{title}</Select.ItemText>
                <small>{summary}</small>
              </Select.Item>
            ))}
          </Select.Viewport>
        </Select.Content>
      </Select.Portal>
    </Select.Root>
  );
}

/** The first author of three or more stands for all. */
function shortAuthors(authors: string): string {
  const names = authors.split(', ');
  return names.length > 2 ? `${names[0]} et al.` : authors;
}
