import { Button } from '../shared/Button';
import { ErrorText, Field, Form, Input } from '../shared/Field';
import type { LookUp } from './use-look-up';

/** Which model of the hub. */
export function LookUpForm({ lookUp }: { lookUp: LookUp }) {
  const { text, revision, error, isLooking } = lookUp;
  return (
    <Form onSubmit={() => lookUp.look()}>
      <Field label="Model">
        {(id) => (
          <Input
            id={id}
            value={text}
            placeholder="owner/name"
            autoComplete="off"
            spellCheck={false}
            aria-invalid={error !== null}
            onChange={(event) => lookUp.setText(event.target.value)}
          />
        )}
      </Field>
      <Field label="Revision" help="Looking it up asks the hub for the list of files and config.json.">
        {(id) => (
          <Input
            id={id}
            value={revision}
            placeholder="main"
            autoComplete="off"
            spellCheck={false}
            onChange={(event) => lookUp.setRevision(event.target.value)}
          />
        )}
      </Field>
      {error !== null && <ErrorText role="alert">{error}</ErrorText>}
      <Button type="submit" disabled={text.trim() === '' || isLooking}>
        {isLooking ? 'Looking it up…' : 'Look it up'}
      </Button>
    </Form>
  );
}
