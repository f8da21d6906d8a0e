import { useState } from 'react';
import { LARGEST_SEED } from '../../src/page/limits';
import { LONGEST_TEXT_TOKENS } from '../../src/study/limits';
import type { SourceSpec } from '../../src/study/spec';
import { taskList } from '../../src/tasks';
import { Button } from '../shared/Button';
import { ErrorText, Field, Form, Input, Select } from '../shared/Field';
import { formatCount } from '../shared/format';

export interface SourceFormProps {
  source: SourceSpec;
  onUse: (source: SourceSpec) => void;
}

const tasks = taskList.map(({ id, title }) => ({ value: id, label: title }));

/** A text with planted facts and a question, made from a seed. */
export function TaskForm({ source, onUse }: SourceFormProps) {
  const start = source.kind === 'task' ? source : null;
  const [task, setTask] = useState(start?.task ?? 'four-needles');
  const [length, setLength] = useState(String(start?.tokens ?? 1024));
  const [depth, setDepth] = useState(
    start === null || start.depth === 'spread' ? '' : String(Math.round(start.depth * 100)),
  );
  const [seed, setSeed] = useState(String(start?.seed ?? 7));
  const kind = taskList.find((candidate) => candidate.id === task);
  const error = errorOf(length, depth, seed, kind?.smallestTokens ?? 0);
  const submit = () => {
    if (error !== null) return;
    onUse({
      kind: 'task',
      task,
      tokens: Number(length),
      depth: depth === '' ? 'spread' : Number(depth) / 100,
      seed: Number(seed),
    });
  };
  return (
    <Form onSubmit={submit}>
      <Field label="Task" help={kind?.description}>
        {(id) => <Select id={id} value={task} options={tasks} onChange={setTask} />}
      </Field>
      <TypedNumber
        label="Length, tokens"
        help="An upper limit: the text is made of whole sentences and ends a few tokens short of it."
        value={length}
        suggested={[512, 1024, 2048, 4096, 16384, LONGEST_TEXT_TOKENS]}
        onChange={setLength}
      />
      <TypedNumber label="Needle depth, %" placeholder="spread" value={depth} onChange={setDepth} />
      <TypedNumber label="Seed" value={seed} onChange={setSeed} />
      {error !== null && <ErrorText role="alert">{error}</ErrorText>}
      <Button type="submit" kind="primary" disabled={error !== null}>
        Use this task
      </Button>
    </Form>
  );
}

interface TypedNumberProps {
  label: string;
  help?: string;
  placeholder?: string;
  /** As it is typed. */
  value: string;
  suggested?: readonly number[];
  onChange: (text: string) => void;
}

function TypedNumber({ label, help, value, suggested, onChange, placeholder }: TypedNumberProps) {
  return (
    <Field label={label} help={help}>
      {(id) => (
        <>
          <Input
            id={id}
            inputMode="numeric"
            list={suggested && `${id}-suggested`}
            placeholder={placeholder}
            value={value}
            onChange={(event) => onChange(event.target.value.trim())}
          />
          {suggested && (
            <datalist id={`${id}-suggested`}>
              {suggested.map((number) => (
                <option key={number} value={number} />
              ))}
            </datalist>
          )}
        </>
      )}
    </Field>
  );
}

function errorOf(length: string, depth: string, seed: string, least: number): string | null {
  if (!isWholeIn(length, least, LONGEST_TEXT_TOKENS)) {
    return `The length must be a whole number from ${formatCount(least)} to ${formatCount(LONGEST_TEXT_TOKENS)} tokens.`;
  }
  if (depth !== '' && !isWholeIn(depth, 0, 100)) {
    return 'The depth must be a whole number from 0 to 100 %, or empty for needles spread over the text.';
  }
  if (!isWholeIn(seed, 0, LARGEST_SEED)) {
    return `The seed must be a whole number from 0 to ${formatCount(LARGEST_SEED)}.`;
  }
  return null;
}

function isWholeIn(text: string, least: number, most: number): boolean {
  return /^\d{1,10}$/.test(text) && Number(text) >= least && Number(text) <= most;
}
