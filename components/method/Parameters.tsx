import { followedNames } from '../../src/page/dependent-defaults';
import { useMethod, usePage, usePageState, useParameterContext } from '../../src/page/hooks';
import { valueProblem } from '../../src/page/parameter-errors';
import { ChoiceControl } from './ChoiceControl';
import { NumberControl } from './NumberControl';

/** The controls of the method, made from its schema. */
export function Parameters() {
  const { actions } = usePage();
  const method = useMethod();
  const context = useParameterContext();
  const parameters = usePageState((state) => state.session.method.parameters);
  const names = Object.keys(method.parameters);
  if (names.length === 0) return <p className="empty">This method has nothing to set.</p>;
  return names.map((name) => {
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
  });
}
