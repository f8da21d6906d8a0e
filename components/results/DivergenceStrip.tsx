import { type KeyboardEvent, type PointerEvent, useState } from 'react';
import { usePage, usePageState } from '../../src/page/hooks';
import { chosenQuery } from '../../src/page/state';
import { formatCount, formatNats, nameToken } from '../shared/format';
import type { Table } from '../shared/table';
import { useSize } from '../shared/useSize';

const height = 34;
/** Bars are no narrower than this; where there are more tokens than bars, a bar is the largest of its tokens. */
const narrowest = 2;

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
  const [box, { width }] = useSize<HTMLDivElement>({ width: 310, height });
  const [pointed, setPointed] = useState<number | null>(null);
  const last = first + nats.length - 1;
  const bars = barsOf(nats, Math.max(1, Math.floor(width / narrowest)));
  const most = Math.max(...nats, 1e-12);
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
    <div ref={box} className="divergence-strip" data-grey={isGrey || undefined}>
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
        <svg width={width} height={height} aria-hidden="true">
          {answerFrom !== null && answerFrom >= first && (
            <rect className="strip-answer" x={xOf(answerFrom)} y={0} width={width} height={height} />
          )}
          {bars.map(({ from, to, at: largest, nats: value }) => (
            <rect
              key={from}
              className={first + largest === at ? 'strip-bar strip-bar-pointed' : 'strip-bar'}
              x={xOf(first + from)}
              y={height - barHeight(value, most)}
              width={Math.max(1, xOf(first + to) - xOf(first + from) - 0.5)}
              height={barHeight(value, most)}
            />
          ))}
        </svg>
      </div>
      <p className="strip-text">{text}</p>
    </div>
  );
}

function barHeight(nats: number, most: number): number {
  return Math.max(1, (nats / most) * (height - 2));
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
    let at = from;
    for (let i = from; i < to; i++) if (nats[i]! > nats[at]!) at = i;
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
