import { useState } from 'react';
import { usePage, usePageState, useSession } from '../../src/page/hooks';
import { Button } from '../shared/Button';
import { Field, Form, Select } from '../shared/Field';
import { DownIcon } from '../shared/icons';
import { Popover } from '../shared/Popover';
import { describeSource } from '../shared/provenance';
import { Tabs } from '../shared/Segments';
import styles from './SourcePicker.module.css';
import { TaskForm } from './TaskForm';
import { OwnTextForm, SampleForm } from './text-forms';

/** The text under study, in words; opens the form that chooses another. */
export function SourcePicker() {
  const [isOpen, setOpen] = useState(false);
  const source = useSession('source');
  const tokens = usePageState('text')?.tokens;
  const { title, detail: known } = describeSource(source, tokens);
  const detail = known || 'reading';
  return (
    <Popover
      trigger={
        <Button className={styles.source} aria-label={`Source: ${title}, ${detail}. Change`}>
          <span className={styles.title}>{title}</span>
          <span className={styles.detail}>{detail}</span>
          <DownIcon />
        </Button>
      }
      aria-label="Source"
      align="start"
      className={styles.choice}
      isOpen={isOpen}
      onOpenChange={setOpen}
    >
      <SourceForm onDone={() => setOpen(false)} />
    </Popover>
  );
}

/** Three ways to a text: a task with a known answer, a sample, or one's own. */
function SourceForm({ onDone }: { onDone: () => void }) {
  const { actions } = usePage();
  const source = useSession('source');
  const onUse: typeof actions.setSource = (chosen) => {
    actions.setSource(chosen);
    onDone();
  };
  return (
    <Tabs
      aria-label="Kind of source"
      start={source.kind}
      tabs={[
        { value: 'task', label: 'Task', content: <TaskForm {...{ source, onUse }} /> },
        { value: 'sample', label: 'Sample text', content: <SampleForm {...{ source, onUse }} /> },
        { value: 'text', label: 'Own text', content: <OwnTextForm {...{ source, onUse }} /> },
      ]}
    >
      <ReadingFields />
    </Tabs>
  );
}

const startTokenChoices = [
  { value: '', label: 'as the tokenizer has it' },
  { value: '1', label: 'before every text' },
  { value: '0', label: 'none' },
] as const;

const chatChoices = [
  { value: '0', label: 'none: read as it is' },
  { value: '1', label: 'a message to the model' },
] as const;

/** How texts become tokens: as a message where the model has a chat template, with the start token; takes effect at once. */
function ReadingFields() {
  const { actions } = usePage();
  const startToken = useSession('startToken');
  const isChat = useSession('chatTemplate') ?? false;
  const hasTemplate = usePageState('model')?.hasChatTemplate ?? false;
  return (
    <Form>
      {(hasTemplate || isChat) && (
        <Field
          label="Chat template"
          help="Text and question become a user’s message, the answer the model’s turn. The template writes the start token where it wants one."
        >
          {(id) => (
            <Select
              id={id}
              value={isChat ? '1' : '0'}
              options={chatChoices}
              onChange={(next) => actions.setChatTemplate(next === '1')}
            />
          )}
        </Field>
      )}
      {!isChat && (
        <Field label="Start token">
          {(id) => (
            <Select
              id={id}
              value={startToken === null ? '' : startToken ? '1' : '0'}
              options={startTokenChoices}
              onChange={(next) => actions.setStartToken(next === '' ? null : next === '1')}
            />
          )}
        </Field>
      )}
    </Form>
  );
}
