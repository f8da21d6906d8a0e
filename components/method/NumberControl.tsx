import { Slider } from 'radix-ui';
import { memo, useId, useState } from 'react';
import type {
  CountParameter,
  FractionParameter,
  ParameterContext,
  ParameterSchema,
  ParameterValue,
} from '../../src/methods/parameters';
import { ErrorText, NumberField } from '../shared/Field';
import { Term } from '../shared/Term';
import { Hidden, PaperSymbol } from '../shared/Text';
import styles from './Parameters.module.css';
import { countSteps, fractionSteps } from './slider-steps';

export interface NumberControlProps {
  schema: CountParameter | FractionParameter;
  value: number | readonly number[];
  context: ParameterContext;
  /** Why it changes nothing as the others stand: then it is disabled, unless to be put right. */
  idle: string | null;
  /** Labels of the parameters that this one follows until it is set. */
  follows: readonly string[];
  /** The sentence that refuses a value; null: it is usable. */
  check: (value: ParameterValue) => string | null;
  onChange: (value: ParameterValue, isDone: boolean) => void;
}

/** A number as slider and field, or one number per layer. */
export function NumberControl({
  schema,
  value,
  context,
  idle,
  follows,
  check,
  onChange,
}: NumberControlProps) {
  const id = useId();
  const [error, setError] = useState<string | null>(null);
  const isPerLayer = typeof value !== 'number';
  const isPercent = schema.kind === 'fraction' && schema.unit === '%';
  const canDiffer = !(schema.kind === 'count' && schema.isSameInAllLayers);
  const type = (text: string): string | null => {
    const number = text === '' ? Number.NaN : Number(text) / (isPercent ? 100 : 1);
    const said = check(Number.isNaN(number) ? text : number);
    if (said === null) onChange(number, false);
    return said;
  };
  const standing = check(value);
  const sentence = error ?? standing;
  const disabled = idle !== null && sentence === null;
  return (
    <div className={styles.control} data-idle={disabled || undefined}>
      <div className={styles.head}>
        <ParameterName schema={schema} help={schema.help} />
        {!isPerLayer && (
          <>
            <NumberField
              label={schema.label}
              value={shown(value, isPercent)}
              onType={type}
              onError={setError}
              onDone={() => onChange(value, true)}
              describedBy={`${id}-error`}
              disabled={disabled}
            />
            <span className={styles.unit}>{isPercent ? '%' : schema.unit}</span>
          </>
        )}
      </div>
      <div className={styles.body}>
        {isPerLayer ? (
          <PerLayerEditor
            label={schema.label}
            values={value}
            isPercent={isPercent}
            disabled={disabled}
            check={check}
            onChange={onChange}
          />
        ) : (
          <StepSlider
            schema={schema}
            value={value}
            context={context}
            disabled={disabled}
            onChange={onChange}
          />
        )}
        {(isPerLayer || canDiffer) && (
          <button
            type="button"
            className={styles.toggle}
            aria-pressed={isPerLayer}
            disabled={disabled}
            title={isPerLayer ? 'One value for all layers' : 'One value per layer'}
            aria-label={`${schema.label}: one value per layer`}
            onClick={() =>
              onChange(isPerLayer ? (value[0] ?? schema.minimum) : Array(context.layers).fill(value), true)
            }
          >
            ≡
          </button>
        )}
      </div>
      <IdleNote idle={idle} />
      {idle === null && follows.length > 0 && (
        <p className={styles.note}>follows {follows.join(' and ')} until it is set</p>
      )}
      <ErrorText id={`${id}-error`} role="status">
        {sentence}
      </ErrorText>
    </div>
  );
}

/** Why a control is disabled. */
export function IdleNote({ idle }: { idle: string | null }) {
  return idle === null ? null : <p className={styles.note}>without effect: {idle}</p>;
}

interface ParameterNameProps {
  schema: ParameterSchema;
  help: string;
}

/** What a parameter is called, here and in its paper, with its explanation. */
export const ParameterName = memo(function ParameterName({ schema, help }: ParameterNameProps) {
  return (
    <Term className={styles.name} text={help}>
      {schema.label}
      {schema.symbol && <PaperSymbol text={` ${schema.symbol}`} />}
    </Term>
  );
});

interface PerLayerEditorProps {
  label: string;
  values: readonly number[];
  isPercent: boolean;
  disabled: boolean;
  check: (value: ParameterValue) => string | null;
  onChange: (value: ParameterValue, isDone: boolean) => void;
}

/** One number per layer, in a row. */
function PerLayerEditor({ label, values, isPercent, disabled, check, onChange }: PerLayerEditorProps) {
  const [error, setError] = useState<string | null>(null);
  const factor = isPercent ? 100 : 1;
  const type = (layer: number, text: string): string | null => {
    const number = text === '' ? Number.NaN : Number(text) / factor;
    const next = values.map((value, at) => (at === layer ? number : value));
    const said = check(Number.isNaN(number) ? text : next);
    if (said === null) onChange(next, false);
    return said;
  };
  const texts = values.map((value) => shown(value, isPercent));
  return (
    <fieldset className={styles.layers} data-wide={texts.some(({ length }) => length > 4) || undefined}>
      <Hidden as="legend">{label} by layer</Hidden>
      {values.map((_, layer) => (
        // biome-ignore lint/suspicious/noArrayIndexKey: a layer is its index
        <div key={layer} className={styles.layer}>
          <span>{layer}</span>
          <NumberField
            className={styles.number}
            label={`${label}, layer ${layer}`}
            value={texts[layer]!}
            onType={(text) => type(layer, text)}
            onError={setError}
            onDone={() => onChange(values, true)}
            disabled={disabled}
          />
        </div>
      ))}
      {error !== null && <ErrorText>{error}</ErrorText>}
    </fieldset>
  );
}

function StepSlider({
  schema,
  value,
  context,
  disabled,
  onChange,
}: Pick<NumberControlProps, 'schema' | 'context' | 'onChange'> & { value: number; disabled: boolean }) {
  const steps =
    schema.kind === 'count'
      ? countSteps(schema.minimum, highestStep(schema, value, context), value, schema.isOdd)
      : fractionSteps(schema.minimum, schema.maximum, value, schema.unit === '%' ? context.tokens : null);
  const at = steps.findLastIndex((step) => step <= value);
  return (
    <Slider.Root
      className={styles.slider}
      min={0}
      max={steps.length - 1}
      disabled={disabled}
      value={[Math.max(0, at)]}
      onValueChange={([index]) => onChange(steps[index!]!, false)}
      onValueCommit={([index]) => onChange(steps[index!]!, true)}
    >
      <Slider.Track className={styles.track}>
        <Slider.Range className={styles.range} />
      </Slider.Track>
      <Slider.Thumb
        className={styles.thumb}
        aria-label={`${schema.label}, slider`}
        aria-valuetext={`${shown(value, schema.unit === '%')} ${schema.unit}`}
      />
    </Slider.Root>
  );
}

/** As it would have to be typed; a percentage without the rounding of the factor. */
function shown(value: number, isPercent: boolean): string {
  return String(isPercent ? Number((value * 100).toPrecision(12)) : value);
}

/** More tokens than the text has can be typed, but are not worth space on the slider. */
function highestStep(schema: CountParameter, value: number, context: ParameterContext): number {
  const most = schema.maximum(context);
  const useful = schema.unit === 'tokens' ? Math.min(most, Math.max(context.tokens, value)) : most;
  return Math.max(schema.minimum, useful);
}
