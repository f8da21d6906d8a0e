import { createWebGpuOps } from '../gpu/webgpu';
import type { Capabilities } from '../gpu/webgpu/capabilities';
import {
  DEVICE_CLASSES,
  type DeviceClass,
  type PipelineName,
  type WarmUpList,
} from '../gpu/webgpu/warm-up-list';
import recorded from '../samples/studies/default.json';
import { nodeEnvironment } from '../src/cli/node-environment';
import { Engine } from '../src/engine/engine';
import type { StudyEnvironment } from '../src/engine/environment';
import { selfTest } from '../src/engine/self-test';
import type { StudySpec } from '../src/study/spec';
import { textKey } from '../src/study/spec';
import { TILE_PIXELS } from '../src/tiles/grid';
import { createIdleDevice } from './idle-device';

/** What stands for each class. */
const CAPABILITIES: Record<DeviceClass, Partial<Capabilities>> = {
  software: { isFallbackAdapter: true, parallelThreads: 16 },
  subgroups: {},
  portable: {
    subgroups: false,
    subgroupMinSize: 0,
    subgroupMaxSize: 0,
    maxInvocationsPerWorkgroup: 256,
    maxWorkgroupStorageBytes: 16_384,
  },
};

/** The pipelines of the study that the page opens with, by the stage that first takes them. */
export async function warmUpListOf(
  deviceClass: DeviceClass,
  environment: StudyEnvironment = nodeEnvironment(),
): Promise<WarmUpList> {
  const { device } = createIdleDevice();
  const ops = await createWebGpuOps({ device, capabilities: CAPABILITIES[deviceClass] });
  const seen = new Set<string>();
  const fresh = (): PipelineName[] =>
    ops.pipelinesInUse().filter((pipeline) => {
      const key = JSON.stringify(pipeline);
      if (seen.has(key)) return false;
      seen.add(key);
      return true;
    });
  // Its results are wrong here, which it says; the pipelines are the same.
  await selfTest(ops);
  const ofSelfTest = fresh();
  let ofReading: PipelineName[] = [];
  let ofMeasuring: PipelineName[] = [];
  // Only what is used counts, not what the list of now would have compiled ahead.
  const engine = new Engine({ ...ops, warmUp: async () => {} }, environment);
  const spec = recorded.spec as unknown as StudySpec;
  await engine.run({
    spec,
    parts: ['probe', 'free'],
    signal: new AbortController().signal,
    full: null,
    onFull() {},
    emit(event) {
      if (event.name === 'textRead') ofReading = fresh();
      if (event.name === 'measured' && event.value.layers?.length === 1) ofMeasuring = fresh();
    },
  });
  // The map from as far as it is shown at first to as near as can be: kernels differ by the cells of a pixel.
  const farthest = Math.log2(recorded.text.tokens / TILE_PIXELS);
  const work = Array.from({ length: farthest + 1 }, (_, level) => ({
    ...{ layer: 0, head: 0, level, row: 0, column: 0 },
    ...{ lineStart: 0, lineEnd: TILE_PIXELS, rowStep: 1 },
  }));
  await engine.attention({ text: textKey(spec), work }, new AbortController().signal);
  const ofStudy = fresh();
  ops.destroy();
  return { selfTest: ofSelfTest, reading: ofReading, measuring: ofMeasuring, study: ofStudy };
}

export async function warmUpLists(): Promise<Record<DeviceClass, WarmUpList>> {
  const lists: Partial<Record<DeviceClass, WarmUpList>> = {};
  for (const deviceClass of DEVICE_CLASSES) lists[deviceClass] = await warmUpListOf(deviceClass);
  return lists as Record<DeviceClass, WarmUpList>;
}
