/** `select`: the keys that a method keeps in every layer, from a probe run. */

import { UserError } from '../base/user-error';
import { gatherNotices } from '../engine/notices';
import type { BlockSelection } from '../measure/select-all';
import { selectAll } from '../measure/select-all';
import { visibleTokens } from '../measure/selection-reader';
import { contextOf } from '../measure/trace-run';
import { methodById } from '../methods';
import { needsHidden } from '../methods/method';
import { type ParameterContext, type Parameters, resolveParameters } from '../methods/parameters';
import type { TensorToWrite } from '../model/files/safetensors-writer';
import { writeSafetensors } from '../model/files/safetensors-writer';
import { readArguments } from './arguments';
import { openCommandBackend } from './backend';
import { writeWhole } from './output';
import { endProgress, showProgress } from './progress';
import { openSource } from './source';

export async function selectCommand(rawArguments: string[]): Promise<void> {
  const args = readArguments('select', rawArguments);
  const out = args.output();
  const method = methodById(args.text('method'));
  const given = args.has('params') ? args.json('params') : {};
  if (typeof given !== 'object' || given === null || Array.isArray(given)) {
    throw new UserError('--params must be a JSON object such as {"keepFraction": 0.5}.');
  }
  const ops = await openCommandBackend(args.backend(), args.memoryBytes());
  const resolveIn = (context: ParameterContext): Parameters =>
    resolveParameters(method, given as Record<string, unknown>, context);
  const { text, notices } = await openSource(ops, args, (context) => needsHidden(method, resolveIn(context)));
  const context = contextOf(text);
  const parameters = resolveIn(context);

  const tensors: Record<string, TensorToWrite> = {};
  const said = new Map<number, readonly string[]>();
  for (const [traceIndex, { layer }] of text.layerTraces.entries()) {
    showProgress(`layer ${layer}`);
    const { blocks, after, ...run } = await selectAll({
      text,
      method,
      parameters,
      traceIndex,
      evictAt: text.tokens,
      withScores: true,
    });
    said.set(layer, run.notices);
    tensors[`kept.${layer}`] = keptTensor(after);
    const scores = after.scores ?? blocks.at(-1)?.scores ?? null;
    checkScores(layer, scores);
    tensors[`score.${layer}`] = scoreTensor(scores, after.kept.sets.length, text.tokens);
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
  endProgress();
  const all = gatherNotices({ source: notices, method, parameters, context, run: byLayer(said) });
  const metadata = {
    method: method.id,
    parameters: JSON.stringify(parameters),
    notices: JSON.stringify(all),
  };
  writeWhole(out, writeSafetensors(tensors, metadata));
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
