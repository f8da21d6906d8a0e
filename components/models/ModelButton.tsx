import { lazy, Suspense } from 'react';
import { isGivenModel, isHubModel, shownModel } from '../../src/arrival/model-name';
import { usePage, usePageState, useSession } from '../../src/page/hooks';
import type { ModelFormTab } from '../../src/page/state';
import { BUNDLED_MODEL } from '../../src/study/default-study';
import { Button } from '../shared/Button';
import { DownIcon } from '../shared/icons';
import styles from './ModelButton.module.css';

/** Fetched when it is opened. */
const ModelForm = lazy(async () => ({ default: (await import('./ModelForm')).ModelForm }));

/** The model under study; opens the form that chooses another. */
export function ModelButton() {
  const { actions } = usePage();
  const model = useSession('model');
  const tab = usePageState('modelForm');
  const name = shownName(model);
  return (
    <>
      <Button
        className={styles.button}
        aria-label={`Model: ${name}. Change`}
        aria-haspopup="dialog"
        title={name}
        onClick={() => actions.showModelForm(tabOf(model))}
      >
        <span className={styles.name}>{name.slice(name.lastIndexOf('/') + 1)}</span>
        <DownIcon />
      </Button>
      {tab !== null && (
        <Suspense fallback={null}>
          <ModelForm start={tab} onClose={() => actions.showModelForm(null)} />
        </Suspense>
      )}
    </>
  );
}

function shownName(model: string): string {
  return model === BUNDLED_MODEL ? 'bundled model' : shownModel(model).replace(/\/$/, '');
}

function tabOf(model: string): ModelFormTab {
  if (isHubModel(model)) return 'hub';
  return isGivenModel(model) ? 'files' : 'bundled';
}
