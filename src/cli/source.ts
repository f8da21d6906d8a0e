/** The text of a command: ids for a model, or a capture. */
import type { Ops } from '../../gpu/ops';
import { UserError } from '../base/user-error';
import type { MemoryPlan, MemoryRequest } from '../engine/memory/plan';
import { planMemory } from '../engine/memory/plan';
import { lengthNotices, modelNotices } from '../engine/notices';
import type { OpenModel } from '../engine/open-model';
import { openModel } from '../engine/open-model';
import { parameterContext } from '../engine/resolve';
import { FULL_AS_TRAINED, full } from '../methods/full';
import { type Method, needsHidden, readsTrace } from '../methods/method';
import type { ParameterContext, Parameters } from '../methods/parameters';
import type { Calibration } from '../model/calibration';
import { readCapture } from '../model/capture/capture';
import { forward } from '../model/decoder/forward';
import { nodeFolder } from '../model/files/folder-node';
import { openSafetensors } from '../model/files/safetensors';
import type { OwnedTrace } from '../trace/from-decoder';
import { traceOfCapture, traceOfSession } from '../trace/from-decoder';
import { textRead } from '../trace/rereading';
import type { Arguments } from './arguments';
import { openFile } from './files';
import { endProgress, showProgress } from './progress';
import { answerOf, type CommandText, readText, refuseTextOptions } from './text';

export function openModelOf(ops: Ops, args: Arguments): Promise<OpenModel> {
  return openModel(ops, nodeFolder(args.text('model')));
}

/** Plans reading and probing a text. Throws UserError for one that the device has no room for. */
export function planText(
  { config, decoder }: OpenModel,
  tokens: number,
  { recordsHidden, layersRead }: Partial<Pick<MemoryRequest, 'recordsHidden' | 'layersRead'>> = {},
): MemoryPlan {
  return planMemory({
    ...{ recordsHidden, layersRead },
    ...{ config, tokens, method: full, parameters: FULL_AS_TRAINED, answerStart: null, parts: ['probe'] },
    limits: decoder.ops.memoryLimits,
    queriesStart: tokens - Math.ceil(tokens / 8),
  });
}

export interface OpenedSource {
  /** With all layers that methods may look at. */
  readonly text: OwnedTrace;
  /** Those that are asked for, ascending. */
  readonly layers: readonly number[];
  /** As CommandText has them. */
  readonly queriesStart: number | null;
  readonly head: CommandText['head'];
  readonly modelDigest: string | null;
  readonly modelName: string | null;
  readonly notices: readonly string[];
}

/** --layers: those of `present` that are asked for, ascending; all by default. */
export function layersOf(args: Arguments, present: readonly number[]): readonly number[] {
  if (!args.has('layers')) return present;
  const asked = args.numbers('layers');
  const missing = asked.find((layer) => !present.includes(layer));
  if (missing !== undefined)
    throw new UserError(`There is no layer ${missing} in this source; it has ${present.join(', ')}.`);
  return present.filter((layer) => asked.includes(layer));
}

/**
 * A trace from --capture, or from --model with --text or --ids-file. With --layers it ends at the last of them, unless one of the
 * methods that `methodsIn` names looks at the whole text in every layer.
 */
export async function openSource(
  ops: Ops,
  args: Arguments,
  methodsIn: (context: ParameterContext) => readonly { method: Method; parameters: Parameters }[],
): Promise<OpenedSource> {
  if (args.has('capture') === args.has('model')) {
    throw new UserError(
      'Say where attention comes from: either --capture FILE, or --model DIR with --text FILE.',
    );
  }
  if (args.has('capture')) {
    refuseTextOptions(args);
    const capture = await readCapture(await openSafetensors(await openFile(args.text('capture'))));
    const { tokens, trainedTokens } = capture;
    const asked = answerOf(args, tokens);
    const notices = [
      ...capture.notices,
      ...(asked !== null && capture.answerStart !== null && asked !== capture.answerStart
        ? [
            `The capture says that its answer begins at token ${capture.answerStart}; --answer ${asked} is taken instead.`,
          ]
        : []),
      ...lengthNotices(tokens, trainedTokens),
    ];
    for (const notice of notices) process.stderr.write(`${notice}\n`);
    const layers = layersOf(args, capture.presentLayers);
    const methods = methodsIn(capture);
    const read = readsAll(methods, null)
      ? capture.presentLayers
      : capture.presentLayers.filter((layer) => layer <= layers.at(-1)!);
    const text = await traceOfCapture(ops, { ...capture, answerStart: asked ?? capture.answerStart }, read);
    const modelName = capture.model ?? null;
    return { text, layers, queriesStart: null, head: {}, modelDigest: null, modelName, notices };
  }
  const model = await openModelOf(ops, args);
  const { ids, answerStart, queriesStart, head } = await readText(args, model);
  const layers = layersOf(
    args,
    Array.from({ length: model.config.layers }, (_, layer) => layer),
  );
  const methods = methodsIn(parameterContext(model, ids.length));
  const layersRead = readsAll(methods, model.calibration) ? model.config.layers : layers.at(-1)! + 1;
  const recordsHidden = methods.some(({ method, parameters }) => needsHidden(method, parameters));
  const plan = planText(model, ids.length, { recordsHidden, layersRead });
  const { reader } = await forward(model.decoder, ids, {
    onProgress: (tokens) => showProgress(`${tokens} of ${ids.length} tokens`),
    keepStates: 'none',
    layersRead,
    keepHidden: plan.recordsHidden,
    rotatedLayers: plan.rotatedLayers.full,
  });
  endProgress();
  const notices = [...modelNotices(model), ...lengthNotices(ids.length, model.config.trainedTokens)];
  for (const notice of notices) process.stderr.write(`${notice}\n`);
  const text = traceOfSession(model.decoder, reader, {
    ...{ tokens: ids.length, answerStart, calibration: model.calibration },
    read: textRead(ids, model.tokenizer),
  });
  return {
    ...{ text, layers, queriesStart, head },
    modelDigest: model.facts.digest,
    modelName: model.facts.name,
    notices,
  };
}

function readsAll(
  methods: readonly { readonly method: Method; readonly parameters: Parameters }[],
  calibration: Calibration | null,
): boolean {
  return methods.some(({ method, parameters }) => readsTrace(method, parameters, calibration));
}
