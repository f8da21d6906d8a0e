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
import { checkedIds } from '../model/tokenizer/token-ids';
import type { StartToken } from '../model/tokenizer/tokenizer';
import type { OwnedTrace } from '../trace/from-decoder';
import { traceOfCapture, traceOfSession } from '../trace/from-decoder';
import { textRead } from '../trace/rereading';
import type { Arguments } from './arguments';
import { elementOf, openFile, readJson, readText } from './files';
import { endProgress, showProgress } from './progress';
import { encodingMilliseconds, withinTime } from './time-limit';

export function openModelOf(ops: Ops, args: Arguments): Promise<OpenModel> {
  return openModel(ops, nodeFolder(args.text('model')));
}

/** --start-token, --no-start-token; null: neither, what the tokenizer itself does. */
export function startTokenOf(args: Arguments): StartToken {
  const [asked, refused] = [args.has('start-token'), args.has('no-start-token')];
  if (asked && refused)
    throw new UserError('--start-token and --no-start-token contradict each other; give one.');
  if ((asked || refused) && (args.has('ids-file') || args.has('capture')))
    throw new UserError('--start-token is about a text; with token ids or a capture, leave it out.');
  return asked ? true : refused ? false : null;
}

/** Token ids from --ids-file, or those of --text with what the tokenizer puts around it. */
export function readIds(args: Arguments, model: OpenModel): Uint32Array {
  if (args.has('ids-file') === args.has('text')) {
    throw new UserError('Give the text once: either --text FILE or --ids-file IDS.json.');
  }
  const startToken = startTokenOf(args);
  let ids: readonly unknown[];
  let written: ((index: number) => string) | undefined;
  if (args.has('ids-file')) {
    const file = args.text('ids-file');
    const value = readJson(file);
    if (!Array.isArray(value)) throw new UserError(`${file} must hold a JSON array of token ids.`);
    ids = value;
    written = (index) => elementOf(readText(file), index);
  } else {
    const { tokenizer } = model;
    if (!tokenizer)
      throw new UserError(`${model.noTokenizer} Token ids can be read without one (--ids-file).`);
    const file = args.text('text');
    const text = readText(file);
    if (text === '') throw new UserError(`${file} is empty; give a text with some words.`);
    ids = withinTime(encodingMilliseconds(text.length), `Encoding ${file}`, () =>
      tokenizer.encodeText(text, startToken),
    );
  }
  if (ids.length === 0) throw new UserError('There is no token in the text; give at least one.');
  return checkedIds(ids, model.config, written);
}

/** --answer: the answer's first token, before which there is a prompt. Null: not given. */
export function answerOf(args: Arguments, tokens: number): number | null {
  if (!args.has('answer')) return null;
  const start = args.count('answer', 1);
  if (start < tokens) return start;
  throw new UserError(
    tokens < 2
      ? 'The text has one token, so no answer can follow a prompt in it; leave --answer out.'
      : `--answer must be a token from 1 to ${tokens - 1}, where the answer begins, not ${start}.`,
  );
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
    return { text, layers, modelDigest: null, modelName: capture.model ?? null, notices };
  }
  const model = await openModelOf(ops, args);
  const ids = readIds(args, model);
  const answerStart = answerOf(args, ids.length);
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
    text,
    layers,
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
