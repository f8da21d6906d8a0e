import curated from '../../samples/models/curated.json';
import { useParameterContext } from '../../src/page/hooks';
import { Button } from '../shared/Button';
import { formatBytes, formatCount } from '../shared/format';
import styles from './ModelForm.module.css';
import { useNeeds } from './use-needs';

const configs = curated.map(({ config }) => JSON.stringify(config));

/** Models of a size for a browser, with what they need. */
export function Curated({ onChoose }: { onChoose: (repository: string) => void }) {
  const { tokens } = useParameterContext();
  const needs = useNeeds(configs);
  return (
    <section className={styles.list} aria-label="Models to begin with">
      <h3>Models to begin with</h3>
      <table>
        <thead>
          <tr>
            <th scope="col">Model</th>
            <th scope="col">Weights</th>
            <th scope="col">Memory, {formatCount(tokens)} tokens</th>
          </tr>
        </thead>
        <tbody>
          {curated.map(({ repository, isGated }, at) => {
            const need = needs?.[at] ?? null;
            // One that this version cannot open is not in the list.
            if (typeof need === 'string') return null;
            const isKnown = need !== null;
            return (
              <tr key={repository}>
                <th scope="row">
                  <Button kind="text" className={styles.choose} onClick={() => onChoose(repository)}>
                    {repository}
                  </Button>
                  {isGated && ' (gated)'}
                </th>
                <td>{isKnown ? formatBytes(need.fileBytes) : '–'}</td>
                <td title={isKnown ? (need.refusal ?? undefined) : undefined}>
                  {isKnown
                    ? `${formatBytes(need.memoryBytes)}${need.refusal === null ? '' : ', too much here'}`
                    : '–'}
                </td>
              </tr>
            );
          })}
        </tbody>
      </table>
      <small>
        Computed from each model’s config.json for this text, method and device, by the plan that the engine
        itself keeps to; files may hold more than the weights. A name looks its model up.
      </small>
    </section>
  );
}
