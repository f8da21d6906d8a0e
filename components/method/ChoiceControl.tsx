import { ToggleGroup } from 'radix-ui';
import type { ChoiceParameter } from '../../src/methods/parameters';
import { PaperSymbol } from '../shared/PaperSymbol';
import { Term } from '../shared/Term';

interface ChoiceControlProps {
  schema: ChoiceParameter;
  value: string;
  onChange: (value: string) => void;
}

/** One of a few words. */
export function ChoiceControl({ schema, value, onChange }: ChoiceControlProps) {
  const chosen = schema.options.find((option) => option.value === value);
  return (
    <div className="control">
      <div className="control-head">
        <Term text={`${schema.help} ${chosen?.label ?? ''}: ${chosen?.help ?? ''}`}>
          {schema.label}
          {schema.symbol && <PaperSymbol text={` ${schema.symbol}`} />}
        </Term>
      </div>
      <ToggleGroup.Root
        type="single"
        className="segments"
        aria-label={schema.label}
        value={value}
        onValueChange={(next) => next && onChange(next)}
      >
        {schema.options.map((option) => (
          <ToggleGroup.Item key={option.value} value={option.value} title={option.help}>
            {option.label}
          </ToggleGroup.Item>
        ))}
      </ToggleGroup.Root>
    </div>
  );
}
