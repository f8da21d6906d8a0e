import { useState } from 'react';
import type { ParameterValue } from '../../src/methods/parameters';
import { NumberField } from './NumberField';

interface PerLayerEditorProps {
  label: string;
  values: readonly number[];
  isPercent: boolean;
  check: (value: ParameterValue) => string | null;
  onChange: (value: ParameterValue, isDone: boolean) => void;
}

/** One number per layer, in a row. */
export function PerLayerEditor({ label, values, isPercent, check, onChange }: PerLayerEditorProps) {
  const [problem, setProblem] = useState<string | null>(null);
  const factor = isPercent ? 100 : 1;
  const type = (layer: number, text: string): string | null => {
    const number = text === '' ? Number.NaN : Number(text) / factor;
    const next = values.map((value, at) => (at === layer ? number : value));
    const said = check(Number.isNaN(number) ? text : next);
    if (said === null) onChange(next, false);
    return said;
  };
  return (
    <fieldset className="per-layer">
      <legend className="visually-hidden">{label} by layer</legend>
      {values.map((value, layer) => (
        // biome-ignore lint/suspicious/noArrayIndexKey: a layer is its index
        <div key={layer} className="per-layer-cell">
          <span>{layer}</span>
          <NumberField
            label={`${label}, layer ${layer}`}
            value={String(Number((value * factor).toPrecision(6)))}
            onType={(text) => type(layer, text)}
            onProblem={setProblem}
            onDone={() => onChange(values, true)}
          />
        </div>
      ))}
      {problem !== null && <p className="problem">{problem}</p>}
    </fieldset>
  );
}
