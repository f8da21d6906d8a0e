import { useState } from 'react';

interface NumberFieldProps {
  id?: string;
  label: string;
  /** As it is typed. */
  value: string;
  /** A sentence when the text is no value that can be used, otherwise null and the value has been taken over. */
  onType: (text: string) => string | null;
  onDone: () => void;
  describedBy?: string;
  onProblem: (sentence: string | null) => void;
}

/** A typed number. What cannot be used stays in the field, with the reason below it, until it is put right. */
export function NumberField({ id, label, value, onType, onDone, describedBy, onProblem }: NumberFieldProps) {
  const [draft, setDraft] = useState<string | null>(null);
  const [isWrong, setWrong] = useState(false);
  const type = (text: string) => {
    setDraft(text);
    const problem = onType(text.trim());
    setWrong(problem !== null);
    onProblem(problem);
  };
  const done = () => {
    if (draft === null || isWrong) return;
    setDraft(null);
    onDone();
  };
  return (
    <input
      id={id}
      className="field number-field"
      inputMode="decimal"
      autoComplete="off"
      aria-label={label}
      aria-invalid={isWrong}
      aria-describedby={describedBy}
      value={draft ?? value}
      onChange={(event) => type(event.target.value)}
      onBlur={done}
      onKeyDown={(event) => {
        if (event.key === 'Enter') done();
        if (event.key === 'Escape' && draft !== null) {
          setDraft(null);
          setWrong(false);
          onProblem(null);
        }
      }}
    />
  );
}
