import { explanations } from '../../src/methods/explanations';
import type { Method } from '../../src/methods/method';
import type { Parameters } from '../../src/methods/parameters';
import { formatCount, formatPercent } from '../shared/format';
import styles from './Explained.module.css';
import { CELL_FATES, type CellFate, countCells, strokesOf } from './kept-cells';
import { keptPictures } from './kept-pictures';

const FATE_NAMES: Readonly<Record<CellFate, string>> = {
  chosen: 'chosen',
  placed: 'seen for its place, or nothing dropped yet',
  mixed: 'mixed into rows of the cache',
  unseen: 'not seen',
};

/** How a method decides, in sentences that follow its summary, and a small picture of what comes of it. */
export function Explained({ method }: { method: Method }) {
  const { text, tokens, evictAt, pictures } = keptPictures;
  const picture = pictures[method.id];
  const fates = CELL_FATES.filter((fate) => picture?.heads.some(({ cells }) => countCells(cells)[fate] > 0));
  return (
    <>
      <p className={styles.text}>{explanations[method.id]}</p>
      {picture && (
        <figure className={styles.figure}>
          <div className={styles.heads}>
            {picture.heads.map(({ layer, head, cells }) => (
              <div key={`${layer}.${head}`}>
                <svg
                  viewBox={`0 0 ${tokens} ${tokens}`}
                  role="img"
                  aria-label={describe(layer, head, cells)}
                  className={styles.triangle}
                >
                  {fates.map((fate) => (
                    <path key={fate} data-fate={fate} d={strokesOf(cells, fate)} />
                  ))}
                </svg>
                <small>
                  layer {layer}, head {head}
                </small>
              </div>
            ))}
          </div>
          <ul className={styles.legend}>
            {[...fates].reverse().map((fate) => (
              <li key={fate} data-fate={fate}>
                {FATE_NAMES[fate]}
              </li>
            ))}
          </ul>
          <figcaption>
            {method.title} itself, run by the bundled model on a text of {tokens} tokens
            {settingsOf(method, picture.parameters)}. A row is a query, a column a key up to it; what evicts
            once does so before token {evictAt}. The text: “{text}”
          </figcaption>
        </figure>
      )}
    </>
  );
}

/** What was set for so short a text; nothing where the defaults do. */
function settingsOf({ parameters: schemas }: Method, parameters: Parameters): string {
  const settings = Object.entries(parameters).map(([name, value]) => {
    const schema = schemas[name];
    const isShare = schema?.kind === 'fraction' && schema.unit === '%';
    return `${schema?.label.toLowerCase() ?? name} ${isShare ? formatPercent(Number(value)) : String(value)}`;
  });
  return settings.length === 0 ? '' : ` with ${settings.join(', ')}`;
}

function describe(layer: number, head: number, cells: string): string {
  const { unseen, placed, chosen, mixed } = countCells(cells);
  const all = unseen + placed + chosen + mixed;
  const last = countCells(cells, 'last query');
  const seenLast = last.placed + last.chosen;
  const chosenLast = last.chosen > 0 ? `, ${formatCount(last.chosen)} of them chosen` : '';
  const mixedLast = last.mixed > 0 ? `, and ${formatCount(last.mixed)} mixed` : '';
  return `Layer ${layer}, head ${head}: queries see ${formatPercent((placed + chosen) / all)} of the keys up to their own; the last one sees ${formatCount(seenLast)} of ${formatCount(seenLast + last.unseen + last.mixed)}${chosenLast}${mixedLast}.`;
}
