/**
 * Opens the default study once or more and prints what that took, one line of JSON for each opening: what bench/opening.mjs
 * runs, built from this program or from another checkout of it.
 */
import { parseArgs } from 'node:util';
import { createCpuOps } from '../gpu/cpu';
import type { Ops } from '../gpu/ops';
import { createWebGpuOps } from '../gpu/webgpu';
import { openDevice } from '../gpu/webgpu/device';
import { nodeEnvironment } from '../src/cli/node-environment';
import { methods } from '../src/methods';
import { parameterContext } from '../src/session/context';
import { defaultSession, studyOf } from '../src/session/session';
import { Engine } from '../src/study/engine';
import type { LayerMeasurement, SweepCurve } from '../src/study/types';

const session = defaultSession(
  (id) => methods.find((method) => method.id === id) ?? null,
  (source) => parameterContext(source, null, null),
);

async function openOps(backend: string): Promise<Ops> {
  if (backend === 'cpu') return createCpuOps({ simd: true });
  if (backend === 'cpu-plain') return createCpuOps({ simd: false });
  const { create, globals } = await import('webgpu');
  Object.assign(globalThis, globals);
  const { device } = await openDevice({ gpu: create([]), powerPreference: 'high-performance' });
  return createWebGpuOps({ device });
}

/** Opens the study in an engine of its own: nothing of an earlier opening is at hand but what is compiled. */
async function open(ops: Ops): Promise<object> {
  const engine = new Engine(ops, nodeEnvironment());
  engine.look(session.view.layer, session.view.head);
  let layers: readonly LayerMeasurement[] = [];
  let sweep: readonly SweepCurve[] = [];
  const milliseconds: Record<string, number> = {};
  const userMilliseconds: Record<string, number> = {};
  let before = process.cpuUsage();
  await engine.run({
    spec: studyOf(session),
    parts: ['probe'],
    signal: new AbortController().signal,
    full: null,
    onFull: () => {},
    emit({ name, value }) {
      if (name === 'measured') {
        layers = value.layers ?? layers;
        sweep = value.sweep ?? sweep;
      }
      if (name === 'timing') {
        // Phases are told as they end.
        const phase = Object.keys(value).at(-1)!;
        const { user } = process.cpuUsage(before);
        before = process.cpuUsage();
        milliseconds[phase] = value[phase]!;
        userMilliseconds[phase] = user / 1000;
      }
    },
  });
  return { milliseconds, userMilliseconds, numbers: numbersOf(layers, sweep) };
}

/** Every number that is read as a share, in one order. */
function numbersOf(layers: readonly LayerMeasurement[], sweep: readonly SweepCurve[]): (number | null)[] {
  return [
    ...layers.flatMap((layer) => [layer.keptShare, layer.massRecall, layer.ownMassRecall, layer.topkRecall]),
    ...layers.flatMap((layer) => [layer.selectorRecall, layer.outputError, layer.outputErrorAsRun]),
    ...sweep.flatMap(({ points }) => points.flatMap(({ kept, massRecall }) => [kept, massRecall])),
  ];
}

const { values } = parseArgs({
  options: { backend: { type: 'string', default: 'cpu' }, openings: { type: 'string', default: '1' } },
});
const ops = await openOps(values.backend);
for (let i = 0; i < Number(values.openings); i++) console.log(JSON.stringify(await open(ops)));
process.exit(0);
