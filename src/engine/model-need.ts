/** What a model would take of this device, by its config.json alone: before a byte of its weights is fetched. */

import type { Ops } from '../../gpu/ops';
import { isUserError } from '../base/user-error';
import { parseConfig } from '../model/architectures/parse-config';
import { parseJsonFile } from '../model/files/json-file';
import type { ModelNeed, ModelNeedRequest } from '../study/client';
import type { Part } from './events';
import { plannedBytes, weightBuffers } from './memory/buffers';
import { checkWeightsFit, planMemory, wantedBytes } from './memory/plan';
import { asKept } from './open-model';
import { type Imported, parameterContext, resolvedOrFull } from './resolve';

type Device = Pick<Ops, 'backend' | 'memoryLimits' | 'readsHalves'>;

/** Bytes of a number in a file, by the name that config.json has for it. */
const valueBytes: Readonly<Record<string, number>> = { float32: 4, float64: 8, float16: 2, bfloat16: 2 };

/** What a model with this config.json needs; a sentence where it cannot be read, or not on this device. */
async function modelNeed(
  configText: string,
  { spec, tokens, queriesStart, answerStart }: Omit<ModelNeedRequest, 'configs'>,
  ops: Device,
  imported: Imported,
): Promise<ModelNeed> {
  const settings = parseJsonFile(new TextEncoder().encode(configText), 'config.json');
  const { backend, memoryLimits: limits } = ops;
  const read = await parseConfig(settings);
  const config = asKept(ops, read);
  const { weightType: _, ...asFloats } = read;
  // As a file has them: without what a device adds.
  const parameters =
    plannedBytes(weightBuffers(asFloats, limits), { ...limits, storageBytes: (elements) => 4 * elements }) /
    4;
  const { torch_dtype, dtype } = settings as Readonly<Record<string, unknown>>;
  const context = parameterContext({ config }, tokens);
  const resolved = resolvedOrFull(spec.method, context, imported);
  // On the CPU the free run has a worker, and weights, of its own.
  const workers: (readonly Part[])[] = backend === 'cpu' ? [['probe'], ['free']] : [['probe', 'free']];
  const requests = workers.map((parts) => ({
    ...{ ...resolved, limits, config, tokens, queriesStart, answerStart, parts },
  }));
  const bytes = requests.reduce((sum, request) => sum + wantedBytes(request), 0);
  return {
    parameters,
    fileBytes: parameters * (valueBytes[String(dtype ?? torch_dtype)] ?? 4),
    memoryBytes: bytes,
    refusal: sentenceOf(() => {
      checkWeightsFit(config, limits);
      for (const request of requests) planMemory(request);
    }),
  };
}

/** The sentence of whatever refuses; null where nothing does. */
function sentenceOf(check: () => void): string | null {
  try {
    check();
    return null;
  } catch (error) {
    if (!isUserError(error)) throw error;
    return error.message;
  }
}

/** In the order of the configs; a sentence alone for those that cannot be read. */
export function modelNeeds(
  { configs, ...study }: ModelNeedRequest,
  ops: Device,
  imported: Imported,
): Promise<(ModelNeed | string)[]> {
  return Promise.all(
    configs.map(async (config) => {
      try {
        return await modelNeed(config, study, ops, imported);
      } catch (error) {
        if (!isUserError(error)) throw error;
        return error.message;
      }
    }),
  );
}
