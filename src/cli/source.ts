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
import { type Capture, readCapture } from '../model/capture/capture';
import { forward } from '../model/decoder/forward';
import { nodeFolder } from '../model/files/folder-node';
import { openSafetensors } from '../model/files/safetensors';
import { layersThatFit, traceOfCapture, traceOfSession } from '../trace/from-decoder';
import { textRead } from '../trace/rereading';
import type { Trace } from '../trace/trace';
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
  readonly facts: Pick<Trace, keyof ParameterContext | 'answerStart'>;
  /** Layers that are asked for, ascending. */
  readonly layers: readonly number[];
  /**
   * Those with all others that methods may look at: all of them at once; of a capture that the device has no room for, one after
   * another. A text is released when its visit has ended.
   */
  visit(each: (text: Trace, layers: readonly number[]) => Promise<void>): Promise<void>;
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
 * A trace from --capture, or from --model with --text or --ids-file. With --layers a capture is read in those, and a model up to the last
 * of them, unless one of the methods that `methodsIn` names looks at the whole text in every layer.
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
    const facts = { ...capture, answerStart: asked ?? capture.answerStart };
    const parts = partsOf(ops, capture, layers, methodsIn(capture));
    return {
      ...{ facts, layers, queriesStart: null, head: {}, modelDigest: null, notices },
      modelName: capture.model ?? null,
      async visit(each) {
        for (const part of parts) {
          const text = await traceOfCapture(ops, facts, part.read);
          try {
            await each(text, part.layers);
          } finally {
            text.release();
          }
        }
      },
    };
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
    ...{ facts: text, layers, queriesStart, head },
    async visit(each) {
      await each(text, layers);
      text.release();
    },
    modelDigest: model.facts.digest,
    modelName: model.facts.name,
    notices,
  };
}

/**
 * Layers of a capture that are open together, and which of them were asked for: all, where there is room, otherwise one after another.
 * Throws UserError where a method looks at the whole text in every layer, and there is no room for them.
 */
function partsOf(
  ops: Ops,
  capture: Capture,
  layers: readonly number[],
  methods: readonly { readonly method: Method; readonly parameters: Parameters }[],
): { readonly layers: readonly number[]; readonly read: readonly number[] }[] {
  const leaders = methods.flatMap(({ method, parameters }) => method.traits(parameters).leader ?? []);
  const withLeaders = (asked: readonly number[]): readonly number[] =>
    capture.presentLayers.filter(
      (layer) => asked.includes(layer) || leaders.some((leader) => asked.some((of) => leader(of) === layer)),
    );
  const most = layersThatFit(ops, capture);
  const all = methods.find(({ method, parameters }) => readsTrace(method, parameters, null));
  if (all && capture.presentLayers.length > most) {
    throw new UserError(
      `${all.method.id} looks at every layer of a text before it chooses, and this device has room for ${most} of the capture's ${capture.presentLayers.length} layers; use a capture of fewer layers or tokens, or another method.`,
    );
  }
  const read = all ? capture.presentLayers : withLeaders(layers);
  // Methods want room as well; one layer after another they give the same.
  if (all || read.length <= most / 2) return [{ layers, read }];
  return layers.map((layer) => ({ layers: [layer], read: withLeaders([layer]) }));
}

function readsAll(
  methods: readonly { readonly method: Method; readonly parameters: Parameters }[],
  calibration: Calibration | null,
): boolean {
  return methods.some(({ method, parameters }) => readsTrace(method, parameters, calibration));
}
