/**
 * Dispatch overhead: what it costs the program's thread to encode the bundled model's work, on a device that does nothing
 * (idle-device.ts): the argument checks, the methods, the encoding itself. On a large GPU this, not arithmetic, is what a small
 * model waits for.
 */
import { createWebGpuOps } from '../gpu/webgpu';
import { sampleTexts } from '../src/cli/node-environment';
import { generate } from '../src/engine/generation';
import { type OpenModel, openModel } from '../src/engine/open-model';
import { parameterContext, resolve } from '../src/engine/resolve';
import { nodeFolder } from '../src/model/files/folder-node';
import { type Calls, createIdleDevice, difference } from './idle-device';
import type { Section } from './section';

const TOKENS = 1024;
const ANSWER_TOKENS = 32;
const REPEATS = 7;

interface DispatchOverhead {
  readonly name: string;
  readonly milliseconds: number;
  /** Per repetition, once warm. */
  readonly calls: Calls;
}

/** Costs of a prefill of 1,024 tokens by method, and of one whose last 32 tokens are an answer. */
export async function* measureDispatchOverhead(repeats = REPEATS): AsyncGenerator<DispatchOverhead> {
  const { device, calls } = createIdleDevice();
  const ops = await createWebGpuOps({ device, capabilities: { isFallbackAdapter: false } });
  const model = await openModel(ops, nodeFolder('samples/model'));
  const ids = idsOf(model);
  const cases = [
    { name: 'prefill, full', id: 'full', answers: false },
    { name: 'prefill, esa', id: 'esa', answers: false },
    { name: 'prefill and answer, full', id: 'full', answers: true },
    { name: 'prefill and answer, esa', id: 'esa', answers: true },
  ];
  for (const { name, ...options } of cases) {
    let milliseconds = Number.POSITIVE_INFINITY;
    let counted = calls;
    for (let repeat = 0; repeat < repeats; repeat++) {
      const before = { ...calls };
      const start = performance.now();
      await read(model, ids, options);
      milliseconds = Math.min(milliseconds, performance.now() - start);
      counted = difference(calls, before);
    }
    yield { name, milliseconds, calls: counted };
  }
  ops.destroy();
}

function idsOf({ tokenizer }: OpenModel): Uint32Array {
  if (!tokenizer) throw new Error('the bundled model has no tokenizer');
  const text = sampleTexts()[0]!.text.slice(0, 16_384);
  return Uint32Array.from(tokenizer.encodeText(text)).subarray(0, TOKENS);
}

async function read(
  model: OpenModel,
  ids: Uint32Array,
  { id, answers }: { id: string; answers: boolean },
): Promise<void> {
  const { method, parameters } = resolve({ id, parameters: {} }, parameterContext(model, TOKENS));
  const { session } = await generate({
    decoder: model.decoder,
    method,
    parameters,
    calibration: model.calibration,
    layerTraces: null,
    ids,
    answerStart: answers ? TOKENS - ANSWER_TOKENS : null,
    queriesStart: TOKENS / 2,
    keepQueries: false,
    isAnswerComplete: () => false,
    signal: new AbortController().signal,
    onProgress: () => {},
  });
  session.release();
}

/** The section of the benchmark. It needs no GPU, but says nothing about the CPU backend. */
export const dispatchOverhead: Section = {
  name: 'recording',
  title: 'Dispatch overhead of the bundled model, 1,024 tokens, on a device that does nothing',
  needsGpu: true,
  async run({ print, figure }) {
    const costs: DispatchOverhead[] = [];
    for await (const cost of measureDispatchOverhead()) {
      print(overheadLine(cost));
      costs.push(cost);
    }
    figure('recording', costs);
  },
};

function overheadLine({ name, milliseconds, calls }: DispatchOverhead): string {
  const { dispatches, passes, submissions } = calls;
  const each = (1000 * milliseconds) / dispatches;
  return (
    `${name.padEnd(26)}${milliseconds.toFixed(1).padStart(6)} ms: ${dispatches} dispatches of ${each.toFixed(1)} us, ` +
    `in ${passes} passes and ${submissions} submissions`
  );
}
