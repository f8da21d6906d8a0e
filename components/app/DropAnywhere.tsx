import { useEffect, useState } from 'react';
import { isUserError } from '../../src/base/user-error';
import { usePage } from '../../src/page/hooks';
import styles from './App.module.css';

const hasFiles = (event: DragEvent): boolean => event.dataTransfer?.types.includes('Files') ?? false;

/** Takes files and folders that are dropped anywhere on the page; a panel that has taken one says so by `preventDefault`. */
export function DropAnywhere() {
  const page = usePage();
  const [isOver, setOver] = useState(false);
  useEffect(() => {
    const over = (event: DragEvent) => {
      if (!hasFiles(event)) return;
      event.preventDefault();
      setOver(true);
    };
    // Left for the outside of the window, not for another element.
    const leave = (event: DragEvent) => event.relatedTarget === null && setOver(false);
    const drop = async (event: DragEvent) => {
      setOver(false);
      if (event.defaultPrevented || !hasFiles(event)) return;
      event.preventDefault();
      const entries = [...event.dataTransfer!.items].map(
        (item) => item.webkitGetAsEntry?.() ?? item.getAsFile(),
      );
      try {
        const { filesOfEntries } = await import('../../src/page/recognise');
        await page.openFiles(await filesOfEntries(entries));
        page.actions.showModelForm(null);
      } catch (error) {
        page.actions.notify(
          isUserError(error) ? error.message : 'What was dropped could not be read; drop it once more.',
        );
      }
    };
    const listening = new AbortController();
    const { signal } = listening;
    window.addEventListener('dragover', over, { signal });
    window.addEventListener('dragleave', leave, { signal });
    window.addEventListener('drop', drop, { signal });
    return () => listening.abort();
  }, [page]);
  if (!isOver) return null;
  return (
    <p className={styles.drop} aria-hidden="true">
      Drop a model folder, a GGUF file or a file of kept keys
    </p>
  );
}
