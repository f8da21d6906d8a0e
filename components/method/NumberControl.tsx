import { Slider } from 'radix-ui';
import { useId, useState } from 'react';
import type {
  CountParameter,
  FractionParameter,
  ParameterContext,
  ParameterValue,
} from '../../src/methods/parameters';
import { PaperSymbol } from '../shared/PaperSymbol';
import { Term } from '../shared/Term';
import { NumberField } from './NumberField';
import { PerLayerEditor } from './PerLayerEditor';
import { countStops, fractionStops } from './stops';

export interface NumberControlProps {
  schema: CountParameter | FractionParameter;
  value: number | readonly number[];
  context: ParameterContext;
  /** Labels of the parameters that this one follows until it is set itself. */
  follows: readonly string[];
  /** The sentence that refuses a value; null: it can be used. */
  check: (value: ParameterValue) => string | null;
  onChange: (value: ParameterValue, isDone: boolean) => void;
}

/** A number as slider and field, or one number per layer. */
export function NumberControl({ schema, value, context, follows, check, onChange }: NumberControlProps) {
  const id = useId();
  const [problem, setProblem] = useState<string | null>(null);
  const isPerLayer = typeof value !== 'number';
  const isPercent = schema.kind === 'fraction' && schema.unit === '%';
  const type = (text: string): string | null => {
    const number = text === '' ? Number.NaN : Number(text) / (isPercent ? 100 : 1);
    const said = check(Number.isNaN(number) ? text : number);
    if (said === null) onChange(number, false);
    return said;
  };
  const standing = check(value);
  const sentence = problem ?? standing;
  return (
    <div className="control">
      <div className="control-head">
        <Term text={schema.help}>
          {schema.label}
          {schema.symbol && <PaperSymbol text={` ${schema.symbol}`} />}
        </Term>
        {!isPerLayer && (
          <>
            <NumberField
              label={schema.label}
              value={shown(value, isPercent)}
              onType={type}
              onProblem={setProblem}
              onDone={() => onChange(value, true)}
              describedBy={`${id}-problem`}
            />
            <span className="unit">{isPercent ? '%' : schema.unit}</span>
          </>
        )}
      </div>
      <div className="control-body">
        {isPerLayer ? (
          <PerLayerEditor
            label={schema.label}
            values={value}
            isPercent={isPercent}
            check={check}
            onChange={onChange}
          />
        ) : (
          <StopSlider schema={schema} value={value} context={context} onChange={onChange} />
        )}
        <button
          type="button"
          className="per-layer-toggle"
          aria-pressed={isPerLayer}
          title={isPerLayer ? 'One value for all layers' : 'One value per layer'}
          aria-label={`${schema.label}: one value per layer`}
          onClick={() =>
            onChange(isPerLayer ? (value[0] ?? schema.minimum) : Array(context.layers).fill(value), true)
          }
        >
          ≡
        </button>
      </div>
      {follows.length > 0 && <p className="control-note">follows {follows.join(' and ')} until it is set</p>}
      <p className="problem" id={`${id}-problem`} role="status">
        {sentence}
      </p>
    </div>
  );
}

function StopSlider({
  schema,
  value,
  context,
  onChange,
}: Omit<NumberControlProps, 'check' | 'follows'> & { value: number }) {
  const stops =
    schema.kind === 'count'
      ? countStops(schema.minimum, highestStop(schema, value, context), value)
      : fractionStops(schema.minimum, schema.maximum, value, schema.unit === '%' ? context.tokens : null);
  const at = stops.findLastIndex((stop) => stop <= value);
  return (
    <Slider.Root
      className="slider"
      min={0}
      max={stops.length - 1}
      value={[Math.max(0, at)]}
      onValueChange={([index]) => onChange(stops[index!]!, false)}
      onValueCommit={([index]) => onChange(stops[index!]!, true)}
    >
      <Slider.Track className="slider-track">
        <Slider.Range className="slider-range" />
      </Slider.Track>
      <Slider.Thumb
        className="slider-thumb"
        aria-label={`${schema.label}, slider`}
        aria-valuetext={`${shown(value, schema.unit === '%')} ${schema.unit}`}
      />
    </Slider.Root>
  );
}

function shown(value: number, isPercent: boolean): string {
  return isPercent ? String(Number((value * 100).toPrecision(6))) : String(value);
}

/** More tokens than the text has can be typed, but are not worth the slider's length. */
function highestStop(schema: CountParameter, value: number, context: ParameterContext): number {
  const most = schema.maximum(context);
  const useful = schema.unit === 'tokens' ? Math.min(most, Math.max(context.tokens, value)) : most;
  return Math.max(schema.minimum, useful);
}
