/** `select`: the keys that a method keeps in every layer, from a probe run. */

import { UserError } from '../base/user-error';
import { gatherNotices } from '../engine/notices';
import { Memo } from '../measure/memo';
import type { BlockSelection } from '../measure/select-all';
import { selectAll, windowSelection } from '../measure/select-all';
import { visibleTokens } from '../measure/selection-reader';
import { contextOf } from '../measure/trace-run';
import { methodById } from '../methods';
import { studyBlocks } from '../methods/blocks';
import type { Method } from '../methods/method';
import { type ParameterContext, type Parameters, resolveParameters } from '../methods/parameters';
import type { TensorToWrite } from '../model/files/safetensors-writer';
import { writeSafetensors } from '../model/files/safetensors-writer';
import type { Trace } from '../trace/trace';
import { type Arguments, readArguments } from './arguments';
import { openCommandBackend } from './backend';
import { keptMethod, keptOf } from './kept';
import { writeWhole } from './output';
import { endProgress, showProgress } from './progress';
import { openSource } from './source';

export async function selectCommand(rawArguments: string[]): Promise<void> {
  const args = readArguments('select', rawArguments);
  const out = args.output();
  const selection = keptOf(args);
  if (selection !== null && (args.has('method') || args.has('params')))
    throw new UserError('--kept stands in the place of --method and --params; give the file alone.');
  const named = selection ? null : methodById(args.text('method'));
  const given = args.has('params') ? args.json('params') : {};
  if (typeof given !== 'object' || given === null || Array.isArray(given)) {
    throw new UserError('--params must be a JSON object such as {"keepFraction": 0.5}.');
  }
  const ops = await openCommandBackend(args.backend(), args.memoryBytes());
  const methodIn = (context: ParameterContext): Method => named ?? keptMethod(selection!, context);
  const resolveIn = (context: ParameterContext): Parameters =>
    resolveParameters(methodIn(context), given as Record<string, unknown>, context);
  const {
    facts: whole,
    visit,
    head,
    notices,
  } = await openSource(ops, args, (context) => [
    { method: methodIn(context), parameters: resolveIn(context) },
  ]);
  const context = contextOf(whole);
  const method = methodIn(context);
  const parameters = resolveIn(context);
  const cut = args.has('evict-after') ? cutOf(args, whole, method, parameters) : null;
  // What stays at the eviction is what would stay if the text ended there.
  const ended = cut === null ? {} : { tokens: cut, answerStart: null };
  const { tokens, answerStart } = { ...whole, ...ended };

  const tensors: Record<string, TensorToWrite> = {};
  const said = new Map<number, readonly string[]>();
  const candidates: Record<number, [start: number, end: number]> = {};
  // Of the tokens of an answer none is evicted.
  const places = { tokens, answerStart, evictAt: answerStart ?? tokens };
  await visit(async (part, asked) => {
    const text = { ...part, ...ended };
    // What is found for all layers at once is found once.
    const memo = new Memo();
    for (const [traceIndex, { layer, window }] of text.layerTraces.entries()) {
      if (!asked.includes(layer)) continue;
      showProgress(`layer ${layer}`);
      const { evictAt } = places;
      const {
        blocks: all,
        after,
        ...run
      } = await selectAll({ text, method, parameters, traceIndex, evictAt, withScores: true, memo });
      // In a layer that sees a window by itself each query has its own; a block shows what its last one sees.
      const blocks =
        window === undefined
          ? all
          : studyBlocks(method, parameters, places, context).map(({ start, end }) =>
              windowSelection(start, end, window),
            );
      said.set(layer, run.notices);
      tensors[`kept.${layer}`] = keptTensor(after);
      candidates[layer] = [after.kept.candidates.start, after.kept.candidates.end];
      const scores = after.scores ?? blocks.at(-1)?.scores ?? null;
      hideProtected(scores, after.kept.candidates);
      checkScores(layer, scores);
      tensors[`score.${layer}`] = scoreTensor(scores, after.kept.sets.length, tokens);
      if (!args.has('all-blocks')) continue;
      tensors.blocks = {
        dtype: 'I32',
        shape: [blocks.length, 2],
        data: Int32Array.from(blocks.flatMap(({ block }) => [block.start, block.end])),
      };
      blocks.forEach((selection, b) => {
        tensors[`kept.${layer}.${b}`] = keptTensor(selection);
      });
    }
    memo.close();
  });
  endProgress();
  const all = gatherNotices({ source: notices, method, parameters, context, run: byLayer(said) });
  const metadata = {
    method: method.id,
    parameters: JSON.stringify(parameters),
    notices: JSON.stringify(all),
    ...(head.chatTemplate && { chat_template: 'true' }),
    ...(head.question !== undefined && { question: head.question }),
    ...(head.expected !== undefined && { expected: head.expected }),
    ...(cut === null
      ? {}
      : {
          evicted_after: String(cut),
          tokens: String(whole.tokens),
          candidates: JSON.stringify(candidates),
        }),
  };
  writeWhole(out, writeSafetensors(tensors, metadata));
}

/** --evict-after: the tokens that are evicted from. Throws UserError where nothing can be evicted there. */
function cutOf(args: Arguments, text: Pick<Trace, 'tokens'>, method: Method, parameters: Parameters): number {
  if (args.has('all-blocks')) {
    throw new UserError(
      '--evict-after writes what stays at one place and --all-blocks what every block sees; give one of them.',
    );
  }
  const { evicts, cache } = method.traits(parameters);
  if (!evicts || cache !== 'tokens') {
    throw new UserError(
      `${method.id} drops no token for good, so --evict-after has nothing to write; --all-blocks writes what each block sees.`,
    );
  }
  return args.count('evict-after', 1, text.tokens);
}

/** Sentences of every layer's run: once what all of them say, by layer what only some do. */
function byLayer(said: ReadonlyMap<number, readonly string[]>): string[] {
  const runs = [...said.values()];
  return [...said].flatMap(([layer, sentences]) =>
    sentences.map((sentence) =>
      runs.every((others) => others.includes(sentence)) ? sentence : `Layer ${layer}: ${sentence}`,
    ),
  );
}

/** [sets, n] keys visible to the block's last query, ascending, −1 at the end of shorter lists. */
function keptTensor({ block, kept }: BlockSelection): TensorToWrite {
  const lists = kept.sets.map((_, set) => visibleTokens(kept, set, block.end));
  const longest = lists.reduce((most, list) => Math.max(most, list.length), 0);
  const data = new Int32Array(lists.length * longest).fill(-1);
  lists.forEach((list, set) => {
    data.set(list, set * longest);
  });
  return { dtype: 'I32', shape: [lists.length, longest], data };
}

/** Keys that are kept whatever they score may have an infinite one, so that top-k takes them: nothing was scored there. */
function hideProtected(
  scores: readonly Float32Array[] | null,
  { start, end }: { readonly start: number; readonly end: number },
): void {
  for (const row of scores ?? [])
    for (const [token, score] of row.entries())
      if (score === Infinity && (token < start || token >= end)) row[token] = Number.NaN;
}

/** NaN says that nothing was scored; a score that is infinite decides nothing. */
function checkScores(layer: number, scores: readonly Float32Array[] | null): void {
  for (const [set, row] of (scores ?? []).entries()) {
    const token = row.findIndex((score) => score === Infinity || score === -Infinity);
    if (token < 0) continue;
    throw new UserError(
      `Layer ${layer}, set ${set}: the score of token ${token} is ${row[token]}, too large for 32 bits; nothing is selected by it.`,
    );
  }
}

/** [sets, T]; NaN where nothing was scored. */
function scoreTensor(scores: readonly Float32Array[] | null, sets: number, tokens: number): TensorToWrite {
  const rows = scores ?? Array.from({ length: sets }, () => new Float32Array(tokens).fill(Number.NaN));
  const data = new Float32Array(rows.length * tokens);
  rows.forEach((row, set) => {
    data.set(row, set * tokens);
  });
  return { dtype: 'F32', shape: [rows.length, tokens], data };
}
