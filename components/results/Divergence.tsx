import { max, maxIndex } from 'd3-array';
import { type KeyboardEvent, type PointerEvent, useState } from 'react';
import { spreadOf } from '../../src/measure/divergence';
import type { DivergencePart } from '../../src/measure/results';
import { usePage, usePageState } from '../../src/page/hooks';
import { chosenQuery } from '../../src/page/state';
import type { FreeRunMeasurement } from '../../src/study/results';
import { formatCount, formatNats, formatPercent, nameToken } from '../shared/format';
import { Term } from '../shared/Term';
import type { Table } from '../shared/table';
import { useSize } from '../shared/useSize';
import styles from './Divergence.module.css';

interface DivergenceNumbersProps {
  freeRun: FreeRunMeasurement;
  /** Full attention is no yardstick past the trained length. */
  isGrey: boolean;
}

/** How far the next-token distributions are from full attention's: of all queries, and of those that predict the answer apart. */
export function DivergenceNumbers({ freeRun, isGrey }: DivergenceNumbersProps) {
  const { divergenceNats, top1Agreement, lossDifferenceNats, divergenceByToken, question, answerPart } =
    freeRun;
  const parts: readonly (readonly [string, DivergencePart | null])[] = [
    ['answer', answerPart],
    ['question', question],
  ];
  const shown = parts.filter((part): part is [string, DivergencePart] => part[1] !== null);
  return (
    <>
      <dl className={styles.numbers} data-grey={isGrey || undefined}>
        <div>
          <dt>
            <Term name="divergence">KL</Term>
          </dt>
          <dd>{formatNats(divergenceNats)}</dd>
        </div>
        <div>
          <dt>
            <Term name="top1Agreement">top-1</Term>
          </dt>
          <dd>{formatPercent(top1Agreement)}</dd>
        </div>
        <div>
          <dt>
            <Term name="lossDifference">ΔNLL</Term>
          </dt>
          <dd>{lossDifferenceNats === null ? '–' : formatNats(lossDifferenceNats, true)}</dd>
        </div>
      </dl>
      {shown.map(([name, part]) => (
        <p key={name} className={styles.part} data-grey={isGrey || undefined}>
          {name}: mean {formatNats(part.meanNats)}, {spread(part)}, top-1 {formatPercent(part.top1Agreement)}
        </p>
      ))}
      {shown.length === 0 && divergenceByToken.length > 0 && (
        <p className={styles.part} data-grey={isGrey || undefined}>
          {spread(spreadOf(divergenceByToken))}
        </p>
      )}
    </>
  );
}

function spread({ medianNats, shareAbove }: Pick<DivergencePart, 'medianNats' | 'shareAbove'>): string {
  return `median ${formatNats(medianNats)}, ${formatPercent(shareAbove)} above 0.1 nats`;
}

const HEIGHT = 34;
/** Bars are no narrower than this; where there are more tokens than bars, a bar is the largest of its tokens. */
const NARROWEST = 2;
/** Nats that the highest bar stands for at least: below are roundings, which must not look like a divergence. */
const LEAST_FULL_HEIGHT = 1e-3;

interface DivergenceStripProps {
  nats: readonly number[];
  /** The query that the first value is of. */
  first: number;
  /** The query that predicts the answer's first token; null without an answer. */
  answerFrom: number | null;
  tokenTexts: readonly string[];
  isGrey: boolean;
}

/** The divergence of every query, as bars; a press, or Enter, makes that query the one in view. */
export function DivergenceStrip({ nats, first, answerFrom, tokenTexts, isGrey }: DivergenceStripProps) {
  const { actions } = usePage();
  const query = usePageState(chosenQuery);
  const [box, { width }] = useSize<HTMLDivElement>({ width: 310, height: HEIGHT });
  const [pointed, setPointed] = useState<number | null>(null);
  const last = first + nats.length - 1;
  const bars = barsOf(nats, Math.max(1, Math.floor(width / NARROWEST)));
  const most = natsOfFullHeight(nats);
  const xOf = (place: number): number => ((place - first) / nats.length) * width;
  const at = pointed ?? Math.min(last, Math.max(first, query ?? first));
  const text = `query ${formatCount(at)}, ${nameToken(tokenTexts[at] ?? '')}: ${formatNats(nats[at - first]!)}`;
  const press = (event: KeyboardEvent) => {
    const steps: Record<string, number> = {
      ArrowLeft: at - 1,
      ArrowDown: at - 1,
      ArrowRight: at + 1,
      ArrowUp: at + 1,
      PageUp: at + 10,
      PageDown: at - 10,
      Home: first,
      End: last,
    };
    if (event.key === 'Enter') actions.setView({ query: at }, true);
    else if (steps[event.key] !== undefined) setPointed(Math.min(last, Math.max(first, steps[event.key]!)));
    else return;
    event.preventDefault();
  };
  /** The query of the largest value in the bar under the pointer. */
  const under = (event: PointerEvent): number => {
    const { left, width: wide } = event.currentTarget.getBoundingClientRect();
    const share = wide > 0 ? (event.clientX - left) / wide : 0;
    const bar = bars[Math.min(bars.length - 1, Math.max(0, Math.floor(share * bars.length)))]!;
    return first + bar.at;
  };
  return (
    <div ref={box} className={styles.strip} data-grey={isGrey || undefined}>
      <div
        role="slider"
        tabIndex={0}
        aria-label="Divergence of each query; arrows move, Enter makes a query the one in view"
        aria-valuemin={first}
        aria-valuemax={last}
        aria-valuenow={at}
        aria-valuetext={text}
        onKeyDown={press}
        onPointerMove={(event) => setPointed(under(event))}
        onPointerLeave={() => setPointed(null)}
        onBlur={() => setPointed(null)}
        onPointerDown={(event) => event.button === 0 && actions.setView({ query: under(event) }, true)}
      >
        <svg width={width} height={HEIGHT} aria-hidden="true">
          {answerFrom !== null && answerFrom >= first && (
            <rect className={styles.answer} x={xOf(answerFrom)} y={0} width={width} height={HEIGHT} />
          )}
          {bars.map(({ from, to, at: largest, nats: value }) => (
            <rect
              key={from}
              className={styles.bar}
              data-pointed={first + largest === at || undefined}
              x={xOf(first + from)}
              y={HEIGHT - barHeight(value, most)}
              width={Math.max(1, xOf(first + to) - xOf(first + from) - 0.5)}
              height={barHeight(value, most)}
            />
          ))}
        </svg>
      </div>
      <p className={styles.text}>{text}</p>
    </div>
  );
}

/** What the highest bar stands for. */
export function natsOfFullHeight(nats: readonly number[]): number {
  return Math.max(max(nats) ?? 0, LEAST_FULL_HEIGHT);
}

function barHeight(nats: number, most: number): number {
  return Math.max(1, (nats / most) * (HEIGHT - 2));
}

export interface Bar {
  /** Values [from, to), and which of them is the largest. */
  readonly from: number;
  readonly to: number;
  readonly at: number;
  readonly nats: number;
}

/** As many bars as there are values, `most` at most; a bar stands for its largest value, so that none is lost. */
export function barsOf(nats: readonly number[], most: number): Bar[] {
  const count = Math.min(most, nats.length);
  return Array.from({ length: count }, (_, bar) => {
    const from = Math.floor((bar * nats.length) / count);
    const to = Math.floor(((bar + 1) * nats.length) / count);
    const at = from + maxIndex(nats.slice(from, to));
    return { from, to, at, nats: nats[at]! };
  });
}

export function divergenceTable(
  nats: readonly number[],
  first: number,
  tokenTexts: readonly string[],
): Table {
  return {
    columns: ['query', 'token', 'KL, nats'],
    rows: nats.map((value, at) => [first + at, tokenTexts[first + at] ?? '', value]),
  };
}
