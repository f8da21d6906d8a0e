import type { Method } from '../../src/methods/method';
import { type ParameterContext, type Parameters, resolveParameters } from '../../src/methods/parameters';
import { useMethod, usePage, useParameterContext } from '../../src/page/hooks';
import { defaultParameters } from '../../src/study/default-study';
import { Button } from '../shared/Button';
import styles from './MethodPanel.module.css';

/** Whole sets of parameters, one click away. */
export function Presets() {
  const { actions } = usePage();
  const method = useMethod();
  const context = useParameterContext();
  const schemas = Object.values(method.parameters);
  if (schemas.length === 0) return null;
  return (
    <div className={styles.presets}>
      <Button
        className={styles.preset}
        title="The defaults for this text's length and this model"
        onClick={() => actions.setParameters(defaultParameters(method, context), true)}
      >
        Scaled to this text
      </Button>
      {schemas.some((schema) => schema.paper !== undefined) && (
        <Button
          className={styles.preset}
          title="The paper's values, as far as this text and model allow them"
          onClick={() => actions.setParameters(paperParameters(method, context), true)}
        >
          As in the paper
        </Button>
      )}
    </div>
  );
}

/** The paper's values where it gives them; counts larger than the text allows are cut to what it does. */
function paperParameters(method: Method, context: ParameterContext): Parameters {
  const given = Object.entries(method.parameters).flatMap(([name, schema]) => {
    if (schema.paper === undefined) return [];
    const value = schema.kind === 'count' ? Math.min(schema.paper, schema.maximum(context)) : schema.paper;
    return [[name, value] as const];
  });
  return resolveParameters(method.id, method.parameters, Object.fromEntries(given), context);
}
