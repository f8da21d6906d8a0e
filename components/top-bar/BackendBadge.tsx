import { usePageState } from '../../src/page/hooks';
import { Term } from '../shared/Term';

const names = { starting: 'Starting', webgpu: 'WebGPU', cpu: 'CPU' } as const;

/** Which backend computes, on what, and why this one. */
export function BackendBadge() {
  const { name, description, reason } = usePageState((state) => state.backend);
  return (
    <span className="backend">
      <Term text={`${reason}${name === 'starting' ? '' : ` (${description})`}`}>{names[name]}</Term>
      {name !== 'starting' && (
        <span className="backend-description">{description.replace(/^CPU,? */, '')}</span>
      )}
    </span>
  );
}
