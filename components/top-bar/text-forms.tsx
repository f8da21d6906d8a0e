import { useState } from 'react';
import { sampleTexts } from '../../samples/texts';
import { LONGEST_QUESTION_CHARACTERS, LONGEST_TEXT_CHARACTERS } from '../../src/page/limits';
import { wellFormed } from '../../src/page/link/compress';
import { Button } from '../shared/Button';
import { ErrorText, Field, Form, Input, Select, TextArea } from '../shared/Field';
import { formatCount } from '../shared/format';
import type { SourceFormProps } from './TaskForm';

const samples = sampleTexts.map(({ id, title }) => ({ value: id, label: title }));

/** One of the texts that come with the program. */
export function SampleForm({ source, onUse }: SourceFormProps) {
  const [sample, setSample] = useState(source.kind === 'sample' ? source.sample : (samples[0]?.value ?? ''));
  return (
    <Form onSubmit={() => onUse({ kind: 'sample', sample, tokens: 1024 })}>
      <Field
        label="Text"
        help="Its first 1,024 tokens. A text without a question: recall and divergence, no answer."
      >
        {(id) => <Select id={id} value={sample} options={samples} onChange={setSample} />}
      </Field>
      <Button type="submit" kind="primary" disabled={sample === ''}>
        Use this text
      </Button>
    </Form>
  );
}

/** A text of one's own; it stays in this browser until its link is shared. */
export function OwnTextForm({ source, onUse }: SourceFormProps) {
  const own = source.kind === 'text' ? source : null;
  const [text, setText] = useState(own?.text ?? '');
  const [question, setQuestion] = useState(own?.question ?? '');
  const [expected, setExpected] = useState(own?.expected?.[0] ?? '');
  const [isTried, setTried] = useState(false);
  const error = errorOf(text);
  const isShown = error !== null && (isTried || text.length > LONGEST_TEXT_CHARACTERS);
  const submit = () => {
    setTried(true);
    if (error !== null) return;
    const asked = wellFormed(question.trim());
    const answer = wellFormed(expected.trim());
    onUse({
      ...{ kind: 'text', text: wellFormed(text) },
      ...(asked !== '' && { question: asked }),
      ...(answer !== '' && { expected: [answer] }),
    });
  };
  return (
    <Form isStacked onSubmit={submit}>
      <Field
        label="Text"
        help={`${formatCount(text.length)} of at most ${formatCount(LONGEST_TEXT_CHARACTERS)} characters. The text stays in this browser; it travels only in a link that you share.`}
      >
        {(id) => (
          <TextArea
            id={id}
            rows={9}
            value={text}
            aria-invalid={isShown}
            placeholder="Paste or write a text. The model continues it, with full attention and with the method."
            onChange={(event) => setText(event.target.value)}
          />
        )}
      </Field>
      <Field label="Question" help="Asked behind the text; may be left out. Methods evict before it.">
        {(id) => (
          <Input
            id={id}
            value={question}
            maxLength={LONGEST_QUESTION_CHARACTERS}
            onChange={(event) => setQuestion(event.target.value)}
          />
        )}
      </Field>
      <Field
        label="Expected answer"
        help="May be left out. Right is an answer that contains it, whatever its case."
      >
        {(id) => (
          <Input
            id={id}
            value={expected}
            maxLength={LONGEST_QUESTION_CHARACTERS}
            onChange={(event) => setExpected(event.target.value)}
          />
        )}
      </Field>
      {isShown && <ErrorText role="alert">{error}</ErrorText>}
      <Button type="submit" kind="primary">
        Use this text
      </Button>
    </Form>
  );
}

function errorOf(text: string): string | null {
  if (text.trim() === '') return 'The text is empty; write or paste some words.';
  if (text.length > LONGEST_TEXT_CHARACTERS) {
    return `The text has ${formatCount(text.length)} characters and ${formatCount(LONGEST_TEXT_CHARACTERS)} is the most; take a part of it.`;
  }
  return null;
}
