import { useMemo, useState } from 'react';
import type { HubModels } from '../../src/arrival/hub/hub-models';
import { filesOfModel } from '../../src/arrival/hub/repository';
import { hubModel, shownModel } from '../../src/arrival/model-name';
import { usePage, usePageState, useParameterContext, useSession } from '../../src/page/hooks';
import { Button } from '../shared/Button';
import { ErrorText, Field, Form, Select } from '../shared/Field';
import { formatBytes, formatCount } from '../shared/format';
import styles from './ModelForm.module.css';
import { useHubState } from './use-hub';
import type { FoundModel as Found } from './use-look-up';
import { useNeeds } from './use-needs';

interface FoundModelProps {
  hub: HubModels;
  found: Found;
  onDone: () => void;
}

/** What was looked up: its size, what it needs, and the button that downloads it. */
export function FoundModel({ hub, found, onDone }: FoundModelProps) {
  const { actions } = usePage();
  const [file, setFile] = useState(found.name.file);
  const { tokens } = useParameterContext();
  const configs = useMemo(() => (found.config === null ? [] : [found.config]), [found]);
  const need = useNeeds(configs)?.[0] ?? null;
  const model = hubModel({ ...found.name, file });
  const isChosen = useSession('model') === model;
  const stored = useHubState(hub, 'stored')?.find((each) => each.model === model);
  const isOnItsWay = model in useHubState(hub, 'progress');
  const error = usePageState('error');
  const files = filesOfModel(found.repository, file);
  const bytes = files.reduce((sum, each) => sum + each.bytes, 0);
  const refusal = typeof need === 'string' ? need : (need?.refusal ?? null);
  const open = () => {
    actions.openModel(model);
    if (stored?.isComplete) onDone();
  };
  return (
    <section className={styles.found} aria-label="Found">
      <h3>{shownModel(model)}</h3>
      <p>
        {formatBytes(bytes)} in {formatCount(files.length)} {files.length === 1 ? 'file' : 'files'}
        {stored &&
          !stored.isComplete &&
          stored.bytes > 0 &&
          !isOnItsWay &&
          `, of which ${formatBytes(stored.bytes)} are here`}
        .{' '}
        {need !== null && typeof need !== 'string' && (
          <>
            {formatBytes(need.memoryBytes)} of memory at {formatCount(tokens)} tokens, computed.
          </>
        )}
      </p>
      {found.gguf.length > 0 && (
        <Form>
          <Field label="File">
            {(id) => (
              <Select
                id={id}
                value={file ?? ''}
                options={found.gguf.map((path) => ({ value: path, label: labelOf(found, path) }))}
                onChange={setFile}
              />
            )}
          </Field>
        </Form>
      )}
      {refusal !== null && <ErrorText role="alert">{refusal}</ErrorText>}
      {isChosen && error !== null && <ErrorText role="alert">{error}</ErrorText>}
      {!isOnItsWay && (
        <Button kind="primary" disabled={refusal !== null} onClick={open}>
          {stored?.isComplete ? 'Open' : `Download ${formatBytes(bytes - (stored?.bytes ?? 0))} and open`}
        </Button>
      )}
    </section>
  );
}

function labelOf({ repository }: Found, path: string): string {
  const bytes = repository.files.find((each) => each.path === path)?.bytes ?? 0;
  return `${path}, ${formatBytes(bytes)}`;
}
