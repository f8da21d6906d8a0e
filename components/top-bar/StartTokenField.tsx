import { useId } from 'react';
import { usePage, usePageState } from '../../src/page/hooks';

const choices = [
  { value: '', title: 'as the tokenizer has it' },
  { value: '1', title: 'before every text' },
  { value: '0', title: 'none' },
] as const;

/** Whether texts begin with the model's start token; takes effect at once. */
export function StartTokenField() {
  const { actions } = usePage();
  const startToken = usePageState((state) => state.session.startToken);
  const id = useId();
  return (
    <div className="source-form start-token-field">
      <label htmlFor={id}>Start token</label>
      <select
        id={id}
        className="field"
        value={startToken === null ? '' : startToken ? '1' : '0'}
        onChange={({ target }) => actions.setStartToken(target.value === '' ? null : target.value === '1')}
      >
        {choices.map(({ value, title }) => (
          <option key={value} value={value}>
            {title}
          </option>
        ))}
      </select>
    </div>
  );
}
