import { Popover } from 'radix-ui';
import { useState } from 'react';
import { usePageState } from '../../src/session/hooks';
import { sampleList } from '../../src/session/samples';
import { bundledModel } from '../../src/session/session';
import type { SourceSpec } from '../../src/study/types';
import { taskList } from '../../src/tasks';
import { formatCount } from '../shared/format';
import { DownIcon } from '../shared/icons';
import { SourceForm } from './SourceForm';

/** The text under study, in words; opens the form that chooses another. */
export function SourcePicker() {
  const [isOpen, setOpen] = useState(false);
  const source = usePageState((state) => state.session.source);
  const address = usePageState((state) => state.session.model);
  const name = usePageState((state) => state.model?.name);
  const tokens = usePageState((state) => state.text?.tokens);
  const { title, detail } = describeSource(source, tokens);
  return (
    <Popover.Root open={isOpen} onOpenChange={setOpen}>
      <Popover.Trigger className="button source-button" aria-label={`Source: ${title}, ${detail}. Change`}>
        <span className="source-model">{address === bundledModel ? 'bundled model' : (name ?? address)}</span>
        <span className="source-title">{title}</span>
        <span className="source-detail">{detail}</span>
        <DownIcon />
      </Popover.Trigger>
      <Popover.Portal>
        <Popover.Content className="popover source-popover" align="start" sideOffset={6} collisionPadding={8}>
          <SourceForm onDone={() => setOpen(false)} />
        </Popover.Content>
      </Popover.Portal>
    </Popover.Root>
  );
}

export function describeSource(
  source: SourceSpec,
  tokens: number | undefined,
): { title: string; detail: string } {
  if (source.kind === 'task') {
    const title = taskList.find((task) => task.id === source.task)?.title ?? source.task;
    const depth = source.depth === 'spread' ? 'spread' : `at ${Math.round(source.depth * 100)} %`;
    return { title, detail: `${formatCount(source.tokens)} tokens · depth ${depth} · seed ${source.seed}` };
  }
  const length = tokens === undefined ? 'reading' : `${formatCount(tokens)} tokens`;
  if (source.kind === 'text') return { title: 'Own text', detail: length };
  const title = sampleList.find((sample) => sample.id === source.sample)?.title ?? source.sample;
  return { title, detail: length };
}
