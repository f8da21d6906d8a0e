import { methodNotices } from '../../src/engine/notices';
import { useMethod, usePageState, useParameterContext } from '../../src/page/hooks';
import { presentRecord } from '../../src/page/measured';
import { Panel } from '../shared/Panel';
import { MethodPicker } from './MethodPicker';
import { Parameters } from './Parameters';
import { Pins } from './Pins';
import { Presets } from './Presets';
import { QuerySees } from './QuerySees';
import './method.css';

/** The method, what it shows a query, and everything about it that can be turned. */
export function MethodPanel() {
  const method = useMethod();
  const context = useParameterContext();
  const parameters = usePageState((state) => state.session.method.parameters);
  const problem = usePageState((state) => state.problem);
  const assumptions = usePageState(({ records, session }) => presentRecord(records, session)?.assumptions);
  const notes = problem === null ? methodNotices(method, parameters, context, assumptions) : [];
  return (
    <Panel title="Method" className="panel-method">
      <MethodPicker />
      <p className="method-summary">
        {method.summary}{' '}
        {method.citation && (
          <a href={method.citation.url} target="_blank" rel="noreferrer" title={method.citation.authors}>
            {shortAuthors(method.citation.authors)} {method.citation.year}
          </a>
        )}
      </p>
      <h3>What the query sees</h3>
      <QuerySees />
      <h3>Parameters</h3>
      <Presets />
      {problem !== null && (
        <p className="problem" role="alert">
          {problem}
        </p>
      )}
      <div className="controls">
        <Parameters />
      </div>
      {notes.map((note) => (
        <p key={note} className="method-note">
          {note}
        </p>
      ))}
      <Pins />
    </Panel>
  );
}

/** The first author of three or more stands for all. */
function shortAuthors(authors: string): string {
  const names = authors.split(', ');
  return names.length > 2 ? `${names[0]} et al.` : authors;
}
