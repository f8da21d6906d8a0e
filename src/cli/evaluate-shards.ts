/**
 * `evaluate --shard i/n`: every n-th text of an evaluation, in a file of single answers, and the whole that `evaluate merge` makes
 * of all n files.
 */
import { fingerprint } from '../base/fingerprint';
import { UserError } from '../base/user-error';
import { type Share, textsOf } from './evaluate-seeds';
import {
  type Answer,
  type Cell,
  type CellKey,
  cellOf,
  countAnswers,
  type EvaluationHead,
  readShard,
  type ShardFile,
} from './evaluation-file';

/** More than anybody has machines for. */
const MOST_SHARDS = 10_000;

/** The share that `--shard i/n` names, i from 1. Throws UserError for anything else. */
export function shardOf(text: string): Share {
  const [, index, count] = /^(\d+)\/(\d+)$/.exec(text)?.map(Number) ?? [];
  if (!index || !count || index > count || count > MOST_SHARDS) {
    throw new UserError(
      `--shard is I/N, such as 1/4, with I from 1 to N and N up to ${MOST_SHARDS}, not "${text}".`,
    );
  }
  return { index: index - 1, count };
}

/** As people and files count shards. */
export function oneBased({ index, count }: Share): ShardFile['shard'] {
  return { index: index + 1, count };
}

type Named = Pick<Answer, 'task' | 'tokens' | 'label' | 'evictAfter' | 'seed'>;

/** Names an answer among those of an evaluation. */
export function nameOf({ task, tokens, label, evictAfter, seed }: Named): string {
  return JSON.stringify([task, tokens, label, evictAfter, seed]);
}

/** Throws UserError where a shard would be gone on with as another one, or of another evaluation. */
export function checkSameShard(
  path: string,
  before: ShardFile,
  shard: Share,
  plan: readonly CellKey[],
  seeds: number,
): void {
  const now = [oneBased(shard), seeds, plan];
  if (fingerprint([before.shard, before.seeds, before.cells]) === fingerprint(now)) return;
  throw new UserError(
    `${path} is shard ${before.shard.index}/${before.shard.count} of another evaluation, or another shard of this; name another file, or remove it.`,
  );
}

/** What all shards of an evaluation have in common. */
const commonOf = ({ device: _, shard, answers: __, ...rest }: ShardFile): unknown => ({
  ...rest,
  count: shard.count,
});

/** The whole of all shards. Throws UserError where one is missing, there twice, not finished, or of another evaluation. */
export function mergeShards(paths: readonly string[]): {
  head: EvaluationHead;
  cells: Cell[];
  plan: CellKey[];
} {
  if (paths.length === 0)
    throw new UserError('evaluate merge needs the files of all shards before its options.');
  const files = paths.map((path) => {
    const file = readShard(path);
    if (!file) throw new UserError(`There is no file ${path}.`);
    return { path, file };
  });
  const [first] = files;
  const { count } = first!.file.shard;
  for (const { path, file } of files) {
    if (fingerprint(commonOf(file)) !== fingerprint(commonOf(first!.file))) {
      throw new UserError(
        `${path} and ${first!.path} are not of one evaluation: all shards have the same command but for --shard, on one kind of backend.`,
      );
    }
  }
  const ordered = [...files].sort((a, b) => a.file.shard.index - b.file.shard.index);
  for (const [i, { path, file }] of ordered.entries()) {
    const { index } = file.shard;
    const last = ordered[i - 1];
    if (last?.file.shard.index === index)
      throw new UserError(`${last.path} and ${path} are both shard ${index}/${count}; leave one out.`);
    checkWhole(path, file);
  }
  const missing = Array.from({ length: count }, (_, i) => i + 1).filter(
    (index) => !ordered.some(({ file }) => file.shard.index === index),
  );
  if (missing.length > 0) {
    const which = missing.map((index) => `${index}/${count}`).join(', ');
    throw new UserError(`Shard ${which} is missing; evaluate merge needs the files of all ${count}.`);
  }
  const { answers: _, shard: __, seeds: ___, cells: plan, ...head } = first!.file;
  const devices = ordered.flatMap(({ file }) => file.device.split('; '));
  const cells: Cell[] = [];
  for (const key of plan) cellOf(cells, key);
  const all = ordered.flatMap(({ file }) => file.answers);
  const left = countAnswers(cells, all, head.firstSeed);
  if (left.length > 0) throw new Error(`${left.length} answers of shards were not counted`);
  return {
    head: { ...head, device: [...new Set(devices)].join('; ') } as unknown as EvaluationHead,
    cells,
    plan,
  };
}

/** Throws UserError unless a shard has every answer of its texts once, and no other. */
function checkWhole(path: string, { shard, seeds, firstSeed, cells, answers }: ShardFile): void {
  const due = new Set<string>();
  const share = { index: shard.index - 1, count: shard.count };
  for (const text of textsOf({ plan: cells, seeds: { first: firstSeed, end: firstSeed + seeds }, share })) {
    for (const { task, tokens, label, evictAfter } of cells)
      if (task === text.task && tokens === text.tokens) due.add(nameOf({ ...text, label, evictAfter }));
  }
  for (const answer of answers) {
    if (due.delete(nameOf(answer))) continue;
    const { task, tokens, label, seed } = answer;
    throw new UserError(
      `${path} has seed ${seed} of ${task}, ${tokens} tokens, "${label}" twice, or it is none of shard ${shard.index}/${shard.count}; mend or remove the file.`,
    );
  }
  const [missing] = due;
  if (missing === undefined) return;
  const [task, tokens, label, , seed] = JSON.parse(missing) as [string, number, string, string, number];
  throw new UserError(
    `${path} is not finished: seed ${seed} of ${task}, ${tokens} tokens, "${label}" is missing, and ${due.size - 1} more; run its command again.`,
  );
}
