import type { Measured } from '../../src/measure/results';
import { useAllLayers, usePage } from '../../src/page/hooks';
import type { MeasuredBy } from '../../src/page/measured';
import { hadRoomForAll } from '../../src/page/nothing-dropped';
import type { TimeMeasurement } from '../../src/study/results';
import { Button } from '../shared/Button';
import { formatMilliseconds, formatRatio, formatTimes } from '../shared/format';
import { AtRest } from '../shared/Stale';
import { Term } from '../shared/Term';
import styles from './KeptPanel.module.css';

interface TimeLineProps {
  time: TimeMeasurement | null;
  /** What was measured. */
  by: MeasuredBy | null;
}

/** How long the prompt's attention takes, full attention against the method; says which is faster only where every pair agrees. */
export function TimeLine({ time, by }: TimeLineProps) {
  const { measureTime, findMethod } = usePage();
  // Of what was timed, which may not be what is chosen now.
  const layers = useAllLayers(by);
  const method = by && findMethod(by.method.id);
  // No less work could make the method faster.
  const isAllKept = Boolean(method && layers && hadRoomForAll(method, by.method.parameters, layers));
  if (!time) {
    return (
      <p className={styles.time}>
        <Term name="measuredTime">time</Term>: not measured{' '}
        <AtRest by={by}>
          <Button kind="text" title="Five pairs, however long they take" onClick={measureTime}>
            measure
          </Button>
        </AtRest>
      </p>
    );
  }
  const { operations } = time;
  const { value, word } = formatRatio(operations.full / operations.method, ['fewer', 'more']);
  return (
    <p className={styles.time}>
      <Term name="measuredTime">time</Term> of the prompt’s attention: {verdict(time, isAllKept)};{' '}
      {milliseconds(time.method)} against {milliseconds(time.full)}, medians of {time.pairs} pairs,{' '}
      {time.full.clock === 'timestamp' ? 'GPU clock' : 'wall clock'}.{' '}
      <Term name="operations">Operations</Term> of the same tokens: {`${value} ${word}`.trimEnd()}.
    </p>
  );
}

/** No word for faster or slower where nothing was dropped, nor while the pairs' ratios lie on both sides of 1. */
export function verdict(
  { ratio: { median, low, high } }: Pick<TimeMeasurement, 'ratio'>,
  isAllKept: boolean,
): string {
  if (!isAllKept && low > 1) {
    return `${formatTimes(median)} faster (${formatTimes(low)} to ${formatTimes(high)})`;
  }
  if (!isAllKept && high < 1) {
    return `${formatTimes(1 / median)} slower (${formatTimes(1 / high)} to ${formatTimes(1 / low)})`;
  }
  const why = isAllKept ? 'no winner, as nothing was dropped' : 'no clear difference';
  return `${why} (${formatTimes(low)} to ${formatTimes(high)} of full attention’s speed)`;
}

function milliseconds({ milliseconds: value }: Measured): string {
  return formatMilliseconds(value);
}
