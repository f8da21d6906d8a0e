/**
 * Opens the default study once or more and prints what that took, one line of JSON for the device and one for each opening: what
 * bench/opening.mjs runs, built from this program or from another checkout of it.
 */
import { parseArgs } from 'node:util';
import { createCpuOps } from '../gpu/cpu';
import type { Ops } from '../gpu/ops';
import { createWebGpuOps } from '../gpu/webgpu';
import { openDevice } from '../gpu/webgpu/device';
import { nodeEnvironment } from '../src/cli/node-environment';
import { Engine } from '../src/engine/engine';
import type { LayerMeasurement, SweepCurve } from '../src/measure/results';
import { methods } from '../src/methods';
import { defaultSession, studyOf } from '../src/page/choices';
import { parameterContext } from '../src/study/context';

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

/** What a part of an opening took: by the wall clock, of the processors (user time), and on WebGPU in commands. */
type Part = Record<'wall' | 'user', number> & { readonly commands: readonly number[] };

/** Opens the study in an engine of its own: nothing of an earlier opening is at hand but what is compiled. */
async function open(ops: Ops, commands: () => number[]): Promise<object> {
  const engine = new Engine(ops, nodeEnvironment());
  engine.look(session.view.layer, session.view.head);
  let layers: readonly LayerMeasurement[] = [];
  let sweep: readonly SweepCurve[] = [];
  const parts: Record<string, Part> = {};
  const now = () => ({ wall: performance.now(), user: process.cpuUsage().user / 1000, commands: commands() });
  let before = now();
  await engine.run({
    spec: studyOf(session),
    parts: ['probe', 'free'],
    signal: new AbortController().signal,
    full: null,
    onFull: () => {},
    emit({ name, value }) {
      if (name === 'measured') {
        layers = value.layers ?? layers;
        sweep = value.sweep ?? sweep;
      }
      if (name !== 'timing') return;
      // Parts are told as they end.
      const after = now();
      parts[Object.keys(value).at(-1)!] = {
        wall: after.wall - before.wall,
        user: after.user - before.user,
        commands: after.commands.map((count, i) => count - before.commands[i]!),
      };
      before = after;
    },
  });
  return { parts, numbers: numbersOf(layers, sweep) };
}

/** Every number that is read as a share, in one order. */
function numbersOf(layers: readonly LayerMeasurement[], sweep: readonly SweepCurve[]): (number | null)[] {
  return [
    ...layers.flatMap((layer) => [layer.keptShare, layer.massRecall, layer.ownMassRecall, layer.topkRecall]),
    ...layers.flatMap((layer) => [layer.selectorRecall, layer.outputError, layer.outputErrorAsRun]),
    ...sweep.flatMap(({ points }) => points.flatMap(({ kept, massRecall }) => [kept, massRecall])),
  ];
}

/** Counts of dispatches, readbacks and submissions so far, whichever program asks for them; none without WebGPU. */
function countCommands(): () => number[] {
  if (!globalThis.GPUComputePassEncoder) return () => [];
  const counts = [0, 0, 0];
  const count = (prototype: object, name: string, place: number): void => {
    const original = Reflect.get(prototype, name) as (...args: unknown[]) => unknown;
    Reflect.set(prototype, name, function (this: unknown, ...args: unknown[]) {
      counts[place]!++;
      return original.apply(this, args);
    });
  };
  count(GPUComputePassEncoder.prototype, 'dispatchWorkgroups', 0);
  count(GPUBuffer.prototype, 'mapAsync', 1);
  count(GPUQueue.prototype, 'submit', 2);
  return () => [...counts];
}

const { values } = parseArgs({
  options: { backend: { type: 'string', default: 'cpu' }, openings: { type: 'string', default: '1' } },
});
const ops = await openOps(values.backend);
const commands = countCommands();
console.log(JSON.stringify({ device: ops.description }));
for (let i = 0; i < Number(values.openings); i++) console.log(JSON.stringify(await open(ops, commands)));
process.exit(0);
