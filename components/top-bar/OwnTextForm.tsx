import { useId, useState } from 'react';
import { LONGEST_TEXT_CHARACTERS } from '../../src/page/limits';
import { wellFormed } from '../../src/page/link/compress';
import { formatCount } from '../shared/format';
import type { SourceFormProps } from './TaskForm';

/** A text of one's own; it stays in this browser until its link is shared. */
export function OwnTextForm({ source, onUse }: SourceFormProps) {
  const [text, setText] = useState(source.kind === 'text' ? source.text : '');
  const [isTried, setTried] = useState(false);
  const id = useId();
  const problem = problemOf(text);
  const isShown = problem !== null && (isTried || text.length > LONGEST_TEXT_CHARACTERS);
  return (
    <form
      className="own-text-form"
      onSubmit={(event) => {
        event.preventDefault();
        setTried(true);
        if (problem === null) onUse({ kind: 'text', text: wellFormed(text) });
      }}
    >
      <label htmlFor={id}>Text</label>
      <textarea
        id={id}
        className="field"
        rows={9}
        value={text}
        aria-invalid={isShown}
        placeholder="Paste or write a text. The model goes on from its end, with full attention and with the method."
        onChange={(event) => setText(event.target.value)}
      />
      <p className="form-help">
        {formatCount(text.length)} of at most {formatCount(LONGEST_TEXT_CHARACTERS)} characters. The text
        stays in this browser; it travels only in a link that you share.
      </p>
      {isShown && (
        <p className="problem" role="alert">
          {problem}
        </p>
      )}
      <button type="submit" className="button button-primary">
        Use this text
      </button>
    </form>
  );
}

function problemOf(text: string): string | null {
  if (text.trim() === '') return 'The text is empty; write or paste some words.';
  if (text.length > LONGEST_TEXT_CHARACTERS) {
    return `The text has ${formatCount(text.length)} characters and ${formatCount(LONGEST_TEXT_CHARACTERS)} is the most; take a part of it.`;
  }
  return null;
}
