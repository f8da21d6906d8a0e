import { Button } from '../shared/Button';
import styles from './App.module.css';

/** In the order of the narrow page, by the names that the layout places panels by. */
const PANELS = [
  ['answer', 'Answer'],
  ['map', 'Map'],
  ['method', 'Method'],
  ['tokens', 'Text'],
  ['kept', 'Kept'],
  ['sweep', 'Sweep'],
] as const;

/** On a narrow page, where panels stand one below the other: the way to each. */
export function Jumps() {
  return (
    <nav className={styles.jumps} aria-label="Panels">
      {PANELS.map(([name, label]) => (
        <Button key={name} kind="text" onClick={() => goTo(name)}>
          {label}
        </Button>
      ))}
    </nav>
  );
}

function goTo(name: string): void {
  const panel = document.querySelector<HTMLElement>(`[data-panel="${name}"]`);
  if (!panel) return;
  panel.scrollIntoView();
  // The keyboard goes on from there.
  panel.tabIndex = -1;
  panel.focus({ preventScroll: true });
}
