import type { ChoiceParameter } from '../../src/methods/parameters';
import { followedNames } from '../../src/page/dependent-defaults';
import { useMethod, usePage, usePageState, useParameterContext } from '../../src/page/hooks';
import { valueProblem } from '../../src/page/parameter-errors';
import { Segments } from '../shared/Segments';
import { Empty } from '../shared/Text';
import { NumberControl, ParameterName } from './NumberControl';
import styles from './Parameters.module.css';

/** The controls of the method, made from its schema. */
export function Parameters() {
  const { actions } = usePage();
  const method = useMethod();
  const context = useParameterContext();
  const parameters = usePageState((state) => state.session.method.parameters);
  const names = Object.keys(method.parameters);
  return (
    <div className={styles.controls}>
      {names.length === 0 && <Empty>This method has no parameters.</Empty>}
      {names.map((name) => {
        const schema = method.parameters[name]!;
        const value = parameters[name] ?? schema.default(context, parameters);
        if (schema.kind === 'choice') {
          return (
            <ChoiceControl
              key={`${method.id}.${name}`}
              schema={schema}
              value={String(value)}
              onChange={(next) => actions.setParameter(name, next, true)}
            />
          );
        }
        return (
          <NumberControl
            key={`${method.id}.${name}`}
            schema={schema}
            value={typeof value === 'string' ? Number(value) : value}
            context={context}
            follows={followedNames(method, name, parameters, context).map(
              (other) => method.parameters[other]?.label ?? other,
            )}
            check={(candidate) => valueProblem(method, name, candidate, context)}
            onChange={(next, isDone) => actions.setParameter(name, next, isDone)}
          />
        );
      })}
    </div>
  );
}

interface ChoiceControlProps {
  schema: ChoiceParameter;
  value: string;
  onChange: (value: string) => void;
}

/** One of a few words. */
function ChoiceControl({ schema, value, onChange }: ChoiceControlProps) {
  const chosen = schema.options.find((option) => option.value === value);
  return (
    <div className={styles.control}>
      <div className={styles.head}>
        <ParameterName
          schema={schema}
          help={`${schema.help} ${chosen?.label ?? ''}: ${chosen?.help ?? ''}`}
        />
      </div>
      <Segments aria-label={schema.label} value={value} options={schema.options} onChange={onChange} />
    </div>
  );
}
