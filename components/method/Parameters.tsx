import { type ChoiceParameter, isGivenOnly, optionWritten } from '../../src/methods/parameters';
import {
  useFollowedNames,
  useIdleBy,
  useMethod,
  useMethodNotices,
  usePage,
  useParameter,
  useParameterContext,
} from '../../src/page/hooks';
import { valueProblem } from '../../src/page/parameter-errors';
import { Segments } from '../shared/Segments';
import { Empty } from '../shared/Text';
import { IdleNote, NumberControl, ParameterName } from './NumberControl';
import styles from './Parameters.module.css';

/** The controls of the method, made from its schema. */
export function Parameters() {
  const method = useMethod();
  // Where values come from outside there is nothing to move.
  const names = Object.entries(method.parameters).flatMap(([name, schema]) =>
    isGivenOnly(schema) ? [] : [name],
  );
  return (
    <div className={styles.controls}>
      {names.length === 0 && <Empty>This method has no parameters.</Empty>}
      {names.map((name) => (
        <Control key={`${method.id}.${name}`} name={name} />
      ))}
    </div>
  );
}

/** One of them; it renders when its own value changes, or what it follows. */
function Control({ name }: { name: string }) {
  const { actions, store } = usePage();
  const method = useMethod();
  const context = useParameterContext();
  const schema = method.parameters[name]!;
  const value = useParameter(name) ?? schema.default(context, store.getState().session.method.parameters);
  const follows = useFollowedNames(method, name, context);
  const idle = useIdleBy(method, name);
  if (schema.kind === 'table') return null;
  if (schema.kind === 'choice') {
    return (
      <ChoiceControl
        schema={schema}
        value={String(value)}
        idle={idle}
        onChange={(next) => actions.setParameter(name, optionWritten(schema, next), true)}
      />
    );
  }
  return (
    <NumberControl
      schema={schema}
      value={typeof value === 'object' ? (value as readonly number[]) : Number(value)}
      context={context}
      idle={idle}
      follows={follows.map((other) => method.parameters[other]?.label ?? other)}
      check={(candidate) => valueProblem(method, name, candidate, context)}
      onChange={(next, isDone) => actions.setParameter(name, next, isDone)}
    />
  );
}

/** What is to be known of the method with these values. */
export function MethodNotices() {
  return useMethodNotices().map((notice) => (
    <p key={notice} className={styles.remark}>
      {notice}
    </p>
  ));
}

interface ChoiceControlProps {
  schema: ChoiceParameter;
  value: string;
  /** Why it changes nothing as the others stand. */
  idle: string | null;
  onChange: (value: string) => void;
}

/** One of a few words. */
function ChoiceControl({ schema, value, idle, onChange }: ChoiceControlProps) {
  const options = schema.options.map((option) => ({ ...option, value: String(option.value) }));
  const chosen = options.find((option) => option.value === value);
  return (
    <div className={styles.control} data-idle={idle !== null || undefined}>
      <div className={styles.head}>
        <ParameterName
          schema={schema}
          help={`${schema.help} ${chosen?.label ?? ''}: ${chosen?.help ?? ''}`}
        />
      </div>
      <Segments
        aria-label={schema.label}
        value={value}
        options={options}
        onChange={onChange}
        disabled={idle !== null}
      />
      <IdleNote idle={idle} />
    </div>
  );
}
