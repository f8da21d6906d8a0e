import { useId, useState } from 'react';
import { sampleList } from '../../src/page/samples';
import type { SourceFormProps } from './TaskForm';

/** One of the texts that come with the program. */
export function SampleForm({ source, onUse }: SourceFormProps) {
  const [sample, setSample] = useState(source.kind === 'sample' ? source.sample : (sampleList[0]?.id ?? ''));
  const id = useId();
  return (
    <form
      className="source-form"
      onSubmit={(event) => {
        event.preventDefault();
        onUse({ kind: 'sample', sample, tokens: 1024 });
      }}
    >
      <label htmlFor={`${id}-sample`}>Text</label>
      <select
        id={`${id}-sample`}
        className="field"
        value={sample}
        onChange={(event) => setSample(event.target.value)}
      >
        {sampleList.map((text) => (
          <option key={text.id} value={text.id}>
            {text.title}
          </option>
        ))}
      </select>
      <p className="form-help">
        Its first 1,024 tokens. A text without a question: recall and divergence, no answer.
      </p>
      <button type="submit" className="button button-primary" disabled={sample === ''}>
        Use this text
      </button>
    </form>
  );
}
