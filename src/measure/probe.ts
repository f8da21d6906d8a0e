/** A probe run: what a method keeps and loses in every layer when each sees full attention's queries, keys and values. */
import type { Method, MethodRun } from '../methods/method';
import type { Parameters } from '../methods/parameters';
import type { RecordedLayer, RecordedText } from '../study/recorded';
import type { LayerMeasurement } from '../study/types';
import { LayerSums } from './layer-sums';
import { measurePart } from './probe-part';
import { layerInput, overlap, type ProbeRun, startProbe, type TokenRange } from './probe-run';
import { readKept } from './selection-reader';
import { selectorRecall } from './selector-recall';

export interface ProbeRequest {
  readonly text: RecordedText;
  readonly method: Method;
  readonly parameters: Parameters;
  /** What is measured; methods that evict once do so at its start. */
  readonly queries: TokenRange;
  readonly signal?: AbortSignal;
  readonly onLayer?: (measurement: LayerMeasurement) => void;
  /** Sentences about what the run had to assume. */
  readonly onNotices?: (notices: readonly string[]) => void;
}

/** Most attention weights held at once: heads × queries × keys. */
const MOST_WEIGHTS = 2 ** 22;

/** Measures every recorded layer. Throws UserError for input the method cannot work with, or the signal's reason. */
export async function probe(request: ProbeRequest): Promise<LayerMeasurement[]> {
  const { text, method, parameters, queries, signal, onLayer, onNotices } = request;
  signal?.throwIfAborted();
  const { ops } = text;
  const constantChannels = ops.allocate('u32', 1, 'constant channels');
  let run: MethodRun | null = null;
  try {
    const started = await startProbe(text, method, parameters, queries.start, { signal, constantChannels });
    run = started.run;
    const layers: LayerMeasurement[] = [];
    for (const recorded of text.recorded) {
      const measurement = await probeLayer(request, started, recorded);
      layers.push(measurement);
      onLayer?.(measurement);
    }
    const [constant] = await ops.readIntegers(constantChannels);
    const notices = [...(run.notices ?? []), ...(constant > 0 ? [constantSentence(constant)] : [])];
    if (notices.length > 0) onNotices?.(notices);
    return layers;
  } finally {
    run?.dispose();
    ops.release(constantChannels);
  }
}

function constantSentence(count: number): string {
  return `${count.toLocaleString('en')} channels had no range in a lag partition; their keys or values were divided by 1e-12 there.`;
}

async function probeLayer(
  { text, method, queries, signal }: ProbeRequest,
  { run, blocks }: ProbeRun,
  recorded: RecordedLayer,
): Promise<LayerMeasurement> {
  const { ops } = text;
  const sums = new LayerSums(text.queryHeads);
  for (const block of blocks) {
    const measured = overlap(block, queries);
    // Only methods that change their cache while they read have to see the blocks before.
    if (!measured && (method.family !== 'evict-reading' || block.start >= queries.end)) continue;
    signal?.throwIfAborted();
    const input = layerInput(recorded, block);
    const selection = run.select(input);
    try {
      if (measured) {
        const kept = await readKept(ops, selection);
        sums.addKept(kept, measured.start, measured.end);
        sums.addSelector(
          await selectorRecall(ops, run, input, kept, measured),
          measured.end - measured.start,
        );
        const rows = Math.max(1, Math.floor(MOST_WEIGHTS / (text.queryHeads * block.end)));
        for (let start = measured.start; start < measured.end; start += rows) {
          signal?.throwIfAborted();
          const part = layerInput(recorded, { start, end: Math.min(measured.end, start + rows) });
          await measurePart(text, run, part, selection, kept, sums);
          await ops.pace();
        }
      }
    } finally {
      ops.release(...selection.owned);
    }
    await ops.pace();
  }
  signal?.throwIfAborted();
  return sums.result(recorded.layer);
}
