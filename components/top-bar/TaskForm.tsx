import { type FormEvent, useId, useState } from 'react';
import { largestSeed } from '../../src/page/limits';
import { LONGEST_TEXT_TOKENS } from '../../src/study/limits';
import type { SourceSpec } from '../../src/study/spec';
import { taskList } from '../../src/tasks';
import { formatCount } from '../shared/format';

export interface SourceFormProps {
  source: SourceSpec;
  onUse: (source: SourceSpec) => void;
}

/** A text with planted facts and a question, made from a seed. */
export function TaskForm({ source, onUse }: SourceFormProps) {
  const start = source.kind === 'task' ? source : null;
  const [task, setTask] = useState(start?.task ?? 'four-needles');
  const [length, setLength] = useState(String(start?.tokens ?? 1024));
  const [depth, setDepth] = useState(
    start === null || start.depth === 'spread' ? '' : String(Math.round(start.depth * 100)),
  );
  const [seed, setSeed] = useState(String(start?.seed ?? 7));
  const id = useId();
  const kind = taskList.find((candidate) => candidate.id === task);
  const problem = problemOf(length, depth, seed, kind?.smallestTokens ?? 0);
  const submit = (event: FormEvent) => {
    event.preventDefault();
    if (problem !== null) return;
    const tokens = Number(length);
    onUse({
      kind: 'task',
      task,
      tokens,
      depth: depth === '' ? 'spread' : Number(depth) / 100,
      seed: Number(seed),
    });
  };
  return (
    <form className="source-form" onSubmit={submit} noValidate>
      <label htmlFor={`${id}-task`}>Task</label>
      <select
        id={`${id}-task`}
        className="field"
        value={task}
        onChange={(event) => setTask(event.target.value)}
      >
        {taskList.map((candidate) => (
          <option key={candidate.id} value={candidate.id}>
            {candidate.title}
          </option>
        ))}
      </select>
      <p className="form-help">{kind?.description}</p>
      <label htmlFor={`${id}-length`}>Length, tokens</label>
      <input
        id={`${id}-length`}
        className="field"
        inputMode="numeric"
        list={`${id}-lengths`}
        value={length}
        onChange={(event) => setLength(event.target.value.trim())}
      />
      <datalist id={`${id}-lengths`}>
        {[512, 1024, 2048, 4096, 16384, LONGEST_TEXT_TOKENS].map((tokens) => (
          <option key={tokens} value={tokens} />
        ))}
      </datalist>
      <p className="form-help">
        At most: whole sentences fill it as far as they fit, and some tokens are left over.
      </p>
      <label htmlFor={`${id}-depth`}>Needle depth, %</label>
      <input
        id={`${id}-depth`}
        className="field"
        inputMode="numeric"
        placeholder="spread"
        value={depth}
        onChange={(event) => setDepth(event.target.value.trim())}
      />
      <label htmlFor={`${id}-seed`}>Seed</label>
      <input
        id={`${id}-seed`}
        className="field"
        inputMode="numeric"
        value={seed}
        onChange={(event) => setSeed(event.target.value.trim())}
      />
      {problem !== null && (
        <p className="problem" role="alert">
          {problem}
        </p>
      )}
      <button type="submit" className="button button-primary" disabled={problem !== null}>
        Use this task
      </button>
    </form>
  );
}

function problemOf(length: string, depth: string, seed: string, least: number): string | null {
  if (!isWholeIn(length, least, LONGEST_TEXT_TOKENS)) {
    return `The length must be a whole number from ${formatCount(least)} to ${formatCount(LONGEST_TEXT_TOKENS)} tokens.`;
  }
  if (depth !== '' && !isWholeIn(depth, 0, 100)) {
    return 'The depth must be a whole number from 0 to 100 %, or empty for needles spread over the text.';
  }
  if (!isWholeIn(seed, 0, largestSeed)) {
    return `The seed must be a whole number from 0 to ${formatCount(largestSeed)}.`;
  }
  return null;
}

function isWholeIn(text: string, least: number, most: number): boolean {
  return /^\d{1,10}$/.test(text) && Number(text) >= least && Number(text) <= most;
}
