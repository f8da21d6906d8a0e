/** `sweep`: recall, output error, density and cost of methods against what they keep. */
import { version } from '../../package.json';
import { UserError } from '../base/user-error';
import { methodNotices } from '../engine/notices';
import { measureCost } from '../measure/cost';
import { measureLayers } from '../measure/measure-layers';
import type { CostMeasurement } from '../measure/results';
import { contextOf } from '../measure/trace-run';
import { methodById } from '../methods';
import type { ImportedSelection } from '../methods/imported/selection';
import type { Method } from '../methods/method';
import { type ParameterContext, type Parameters, resolveParameters } from '../methods/parameters';
import { type Trace, windowsOf } from '../trace/trace';
import { readArguments } from './arguments';
import { openCommandBackend } from './backend';
import { keptMethod, keptOf } from './kept';
import { writeJson } from './output';
import { endProgress, showProgress } from './progress';
import { type OpenedSource, openSource } from './source';

/** One method × keep × layer. Numbers are null below the method's floor, which `floor` then gives, and where `reason` says why. */
interface SweepRecord {
  readonly method: string;
  readonly layer: number;
  readonly keep: number;
  readonly kept: number | null;
  readonly massRecall: number | null;
  readonly topkRecall: number | null;
  readonly topkChance: number | null;
  /** Queries × heads that top-k recall is a mean over; 0 where it is null though measured. */
  readonly topkRows: number | null;
  readonly outputError: number | null;
  /** Null for a capture, too, which has no output projection. */
  readonly outputErrorProjected: number | null;
  readonly density: number | null;
  /** `paperOperations` only where the method's paper counts them: null means that there is no point. */
  readonly cost:
    | (Pick<CostMeasurement, 'selectionOperations' | 'attentionOperations' | 'onceOperations'> & {
        readonly paperOperations?: NonNullable<CostMeasurement['paperOperations']>;
      })
    | null;
  readonly floor?: number;
  readonly reason?: string;
  readonly parameters?: Parameters;
}

/** Why a measured record has no top-k recall. */
const NO_CHOICE = 'No top-k recall: of no query does the method keep some candidates and drop others.';

export async function sweepCommand(rawArguments: string[]): Promise<void> {
  const args = readArguments('sweep', rawArguments);
  const out = args.output();
  const selection = keptOf(args);
  const ids = selection && !args.has('methods') ? [] : args.list('methods');
  const twice = ids.find((id, i) => ids.indexOf(id) !== i);
  if (twice) throw new UserError(`--methods names ${twice} twice; one sweep takes each method once.`);
  const named = ids.map(methodById);
  const isFileAlone = selection && named.length === 0;
  const keeps = isFileAlone && !args.has('keep') ? [1] : [...new Set(args.numbers('keep'))];
  const wrong = keeps.find((keep) => !(keep > 0 && keep <= 1));
  if (wrong !== undefined)
    throw new UserError(`--keep holds fractions above 0 and up to 1, and ${wrong} is none.`);
  const given = paramsById(args.has('params') ? args.json('params') : {}, named);

  const ops = await openCommandBackend(args.backend(), args.memoryBytes());
  const resolveIn = (method: Method, context: ParameterContext): Parameters =>
    resolveParameters(method, given[method.id] ?? {}, context);
  const source = await openSource(ops, args, (context) =>
    named.map((method) => ({ method, parameters: resolveIn(method, context) })),
  );
  const { facts: text } = source;
  const context = contextOf(text);
  const methods = selection ? [...named, keptMethod(selection, context)] : named;
  const start = args.has('queries') ? args.count('queries', 0) : firstQuery(source, selection);
  if (start >= text.tokens) {
    throw new UserError(`--queries must be a token from 0 to ${text.tokens - 1}, not ${start}.`);
  }
  const queries = { start, end: text.tokens };
  const notices = new Set(source.notices);
  // By method and fraction: layers of a large capture come one after another.
  const points = methods.flatMap((method) =>
    keeps.map((keep) => ({ method, keep, records: [] as SweepRecord[] })),
  );
  await source.visit(async (text, layers) => {
    for (const { method, keep, records } of points) {
      const isWhole = layers.length === source.layers.length;
      showProgress(`${isWhole ? '' : `layer ${layers[0]}, `}${method.id}, keep ${keep}`);
      const base = resolveIn(method, context);
      records.push(...(await measurePoint({ text, layers }, method, base, keep, queries, notices)));
    }
  });
  const records = points.flatMap((point) => point.records);
  endProgress();
  const head = {
    version,
    modelDigest: source.modelDigest,
    model: source.modelName,
    tokens: text.tokens,
    ...source.head,
    queryHeads: text.queryHeads,
    keyValueHeads: text.keyValueHeads,
    headDimension: text.headDimension,
    queries,
    notices: [...notices],
    units: {
      keep: 'asked: methods that evict once keep this fraction of the tokens before the queries, others at most this fraction of the text before a block',
      kept: 'mean over queries of keys seen / keys full attention sees',
      massRecall: 'mean over query heads and queries',
      topkRecall: 'mean over query heads and queries',
      topkChance: 'mean of kept candidates / candidates, over the same query heads and queries',
      topkRows: 'queries × query heads with some candidates kept and others dropped',
      outputError: 'relative, before the output projection, with the positions of the model',
      outputErrorProjected: 'relative, all heads together after the output projection',
      density:
        'mean over queries, by formula: of the layer, but over all of them where a method shares its budget out by scores of all',
      cost: 'operations per query and layer, by formula',
    },
  };
  writeJson(out, { ...head, records }, 1);
}

/** The question, or the last eighth of the text, or where a file evicts: other methods that evict once then do so there, too. */
function firstQuery(
  { facts: { tokens }, queriesStart }: Pick<OpenedSource, 'facts' | 'queriesStart'>,
  selection: ImportedSelection | null,
): number {
  const at = selection?.evictedAfter ?? tokens;
  return at < tokens ? at : (queriesStart ?? tokens - Math.ceil(tokens / 8));
}

async function measurePoint(
  { text, layers }: { readonly text: Trace; readonly layers: readonly number[] },
  method: Method,
  base: Parameters,
  keep: number,
  queries: { readonly start: number; readonly end: number },
  notices: Set<string>,
): Promise<SweepRecord[]> {
  const context = contextOf(text);
  const empty = {
    kept: null,
    massRecall: null,
    topkRecall: null,
    topkChance: null,
    topkRows: null,
    outputError: null,
    outputErrorProjected: null,
    density: null,
    cost: null,
  };
  const places = { evictAt: queries.start, answerStart: text.answerStart };
  const fitted = method.withBudget(base, context, keep, places);
  if (!('parameters' in fitted)) {
    return layers.map((layer) => ({ method: method.id, layer, keep, ...empty, ...fitted }));
  }
  const { parameters } = fitted;
  const onNotices = (sentences: readonly string[]): void => {
    for (const sentence of methodNotices(method, parameters, context, sentences))
      notices.add(`${method.id}: ${sentence}`);
  };
  onNotices([]);
  const measured = await measureLayers({ text, layers, method, parameters, queries, onNotices });
  return measured.map(({ layer, keptShare, massRecall, topkRecall, outputError, ...more }) => {
    const { density, paperOperations, ...cost } = measureCost({
      method,
      parameters,
      context,
      queries,
      answerStart: text.answerStart,
      weightOperations: 0,
      layers: [layer],
      windows: windowsOf(text),
    });
    return {
      method: method.id,
      layer,
      keep,
      kept: keptShare,
      massRecall,
      topkRecall,
      topkChance: more.topkChance ?? null,
      topkRows: more.topkRows ?? null,
      outputError,
      outputErrorProjected: more.outputErrorProjected ?? null,
      density,
      cost: {
        selectionOperations: cost.selectionOperations,
        attentionOperations: cost.attentionOperations,
        onceOperations: cost.onceOperations,
        ...(paperOperations ? { paperOperations } : {}),
      },
      parameters,
      ...(topkRecall === null ? { reason: more.reason ?? NO_CHOICE } : {}),
    };
  });
}

function paramsById(value: unknown, methods: readonly Method[]): Record<string, Record<string, unknown>> {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw new UserError(
      '--params must be a JSON object of parameters by method id, such as {"esa": {"proximity": 3}}.',
    );
  }
  for (const [id, parameters] of Object.entries(value)) {
    if (!methods.some((method) => method.id === id)) {
      throw new UserError(`--params is about "${id}", which --methods does not name.`);
    }
    if (typeof parameters !== 'object' || parameters === null || Array.isArray(parameters)) {
      throw new UserError(`--params must hold an object of parameters for ${id}.`);
    }
  }
  return value as Record<string, Record<string, unknown>>;
}
