import { Popover } from 'radix-ui';
import { useState } from 'react';
import { usePageState } from '../../src/page/hooks';
import { bundledModel } from '../../src/study/default-study';
import { DownIcon } from '../shared/icons';
import { describeSource } from '../shared/source-name';
import { SourceForm } from './SourceForm';

/** The text under study, in words; opens the form that chooses another. */
export function SourcePicker() {
  const [isOpen, setOpen] = useState(false);
  const source = usePageState((state) => state.session.source);
  const address = usePageState((state) => state.session.model);
  const name = usePageState((state) => state.model?.name);
  const tokens = usePageState((state) => state.text?.tokens);
  const { title, detail: known } = describeSource(source, tokens);
  const detail = known || 'reading';
  return (
    <Popover.Root open={isOpen} onOpenChange={setOpen}>
      <Popover.Trigger className="button source-button" aria-label={`Source: ${title}, ${detail}. Change`}>
        <span className="source-model">{address === bundledModel ? 'bundled model' : (name ?? address)}</span>
        <span className="source-title">{title}</span>
        <span className="source-detail">{detail}</span>
        <DownIcon />
      </Popover.Trigger>
      <Popover.Portal>
        <Popover.Content
          className="popover source-popover"
          aria-label="Source"
          align="start"
          sideOffset={6}
          collisionPadding={8}
        >
          <SourceForm onDone={() => setOpen(false)} />
        </Popover.Content>
      </Popover.Portal>
    </Popover.Root>
  );
}
