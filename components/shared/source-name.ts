import { sampleList } from '../../src/page/samples';
import type { SourceSpec } from '../../src/study/spec';
import { taskList } from '../../src/tasks';
import { formatCount, formatPercent } from './format';

/** A source in words; a task has at most the tokens asked for. `tokens`: of the text as it was read; while it is not, samples and own texts have no length. */
export function describeSource(
  source: SourceSpec,
  tokens: number | undefined,
): { title: string; detail: string } {
  if (source.kind === 'task') {
    const title = taskList.find((task) => task.id === source.task)?.title ?? source.task;
    const depth = source.depth === 'spread' ? 'spread' : `at ${formatPercent(source.depth)}`;
    return { title, detail: `≤ ${formatCount(source.tokens)} tokens · depth ${depth} · seed ${source.seed}` };
  }
  const known = source.kind === 'sample' ? (tokens ?? source.tokens ?? undefined) : tokens;
  const detail = known === undefined ? '' : `${formatCount(known)} tokens`;
  if (source.kind === 'text') return { title: 'Own text', detail };
  const title = sampleList.find((sample) => sample.id === source.sample)?.title ?? source.sample;
  return { title, detail };
}
