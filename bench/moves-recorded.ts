/**
 * What a moved parameter of any method takes of the program's thread and asks of the device: counted on one that does nothing
 * (idle-device.ts), where every score is 0 and every choice the first keys.
 */
import { createWebGpuOps } from '../gpu/webgpu';
import { nodeEnvironment } from '../src/cli/node-environment';
import { methods } from '../src/methods';
import { type Calls, createIdleDevice, difference } from './idle-device';
import { LiveStudy, median } from './live-study';
import { contextOf, movesOf } from './moves';
import type { Section } from './section';

const TOKENS = 4096;
const MOVES = 5;

export interface RecordedMove {
  readonly method: string;
  readonly parameter: string;
  /** Median of the moves after the first two. */
  readonly milliseconds: number;
  /** Of the last move. */
  readonly calls: Calls;
}

/** Moves of the methods named, of all by default. */
export async function* recordMoves(
  ids: readonly string[] = methods.map(({ id }) => id),
  tokens = TOKENS,
  environment = nodeEnvironment(),
): AsyncGenerator<RecordedMove> {
  const { device, calls } = createIdleDevice();
  const ops = await createWebGpuOps({ device, capabilities: { isFallbackAdapter: false } });
  const context = await contextOf(ops, tokens, environment);
  const study = new LiveStudy(ops, tokens, environment);
  await study.run({ id: 'full', parameters: {} }, ['probe']);
  for (const method of methods.filter(({ id }) => ids.includes(id))) {
    for (const { parameter, values } of movesOf(method, context)) {
      const times: number[] = [];
      let counted = calls;
      for (const parameters of values.slice(0, MOVES)) {
        const before = { ...calls };
        const { layers } = await study.move({ id: method.id, parameters }, 'layers');
        counted = difference(calls, before);
        times.push(layers);
      }
      yield { method: method.id, parameter, milliseconds: median(times.slice(2)), calls: counted };
    }
  }
  ops.destroy();
}

export const movesRecorded: Section = {
  name: 'moves-recorded',
  title: 'A parameter of each method moves, 4,096 tokens, on a device that does nothing',
  needsGpu: false,
  async run({ methods: ids, print, figure }) {
    const all: RecordedMove[] = [];
    print(
      line('', [
        'ms',
        'dispatches',
        'passes',
        'submits',
        'readbacks',
        'buffers',
        'groups',
        'writes',
        'copies',
      ]),
    );
    for await (const move of recordMoves(ids)) {
      const { method, parameter, milliseconds, calls } = move;
      const { dispatches, passes, submissions, readbacks, buffers, bindGroups, writes, copies } = calls;
      const counts = [dispatches, passes, submissions, readbacks, buffers, bindGroups, writes, copies];
      print(line(`${method}, ${parameter}`, [milliseconds.toFixed(1), ...counts.map(String)]));
      all.push(move);
    }
    figure('moves-recorded', all);
  },
};

function line(name: string, columns: readonly string[]): string {
  return name.padEnd(36) + columns.map((column) => column.padStart(11)).join('');
}
