import { type KeyboardEvent, type MouseEvent, useEffect, useState } from 'react';
import type { QueryRow } from '../../src/measure/results';
import { usePage, usePageState } from '../../src/page/hooks';
import { shownTexts } from '../../src/page/shown-texts';
import type { TextFacts } from '../../src/study/facts';
import { formatCount, nameToken } from '../shared/format';
import { useSize } from '../shared/useSize';
import { lineOf } from './lines';
import { TokenLine } from './TokenLine';
import { lineHeight, useLines } from './useLines';

/** Lines kept above and below the view, so that scrolling shows no gaps. */
const spareLines = 4;

interface TokenStripProps {
  text: TextFacts;
  row: QueryRow | null;
  query: number;
  /** A token to bring into view; a new object scrolls again. */
  target: { readonly token: number } | null;
}

/** The text itself: shaded by attention, kept tokens underlined, missed ones marked. */
export function TokenStrip({ text, row, query, target }: TokenStripProps) {
  const { actions } = usePage();
  const pointed = usePageState((state) => state.cell?.key ?? null);
  const [box, size] = useSize<HTMLDivElement>({ width: 760, height: 150 });
  const [scrollTop, setScrollTop] = useState(0);
  const lines = useLines(shownTexts(text), size.width - 4);
  const first = Math.max(0, Math.floor(scrollTop / lineHeight) - spareLines);
  const last = Math.min(lines.length, Math.ceil((scrollTop + size.height) / lineHeight) + spareLines);

  useEffect(() => {
    const element = box.current;
    if (!target || !element) return;
    const top = lineOf(lines, target.token) * lineHeight;
    element.scrollTop = Math.max(0, top - lineHeight);
    setScrollTop(element.scrollTop);
  }, [target, lines, box]);

  const reveal = (token: number) => {
    const element = box.current;
    if (!element) return;
    const top = lineOf(lines, token) * lineHeight;
    if (top < element.scrollTop) element.scrollTop = top;
    if (top + lineHeight > element.scrollTop + size.height)
      element.scrollTop = top + lineHeight - size.height;
  };
  const press = (event: KeyboardEvent) => {
    const at = pointed ?? query;
    const line = lineOf(lines, at);
    const steps: Record<string, number> = {
      ArrowLeft: at - 1,
      ArrowRight: at + 1,
      ArrowUp: lines[line - 1]?.start ?? at,
      ArrowDown: lines[line + 1]?.start ?? at,
      Home: 0,
      End: text.tokens - 1,
    };
    if (event.key === 'Enter' && pointed !== null) actions.setView({ query: pointed }, true);
    else if (steps[event.key] !== undefined) {
      const to = Math.min(text.tokens - 1, Math.max(0, steps[event.key]!));
      actions.point({ query: Math.max(query, to), key: to });
      reveal(to);
    } else return;
    event.preventDefault();
  };
  const hover = (event: MouseEvent) => {
    const token = tokenOf(event);
    actions.point(token === null ? null : { query: Math.max(query, token), key: token });
  };
  const choose = (event: MouseEvent) => {
    const token = tokenOf(event);
    if (token !== null) actions.setView({ query: token }, true);
  };
  return (
    <div
      ref={box}
      className="token-strip"
      role="application"
      aria-label={`The text, ${formatCount(text.tokens)} tokens, as query ${query} sees it: arrows move from token to token, Enter makes one the query`}
      // biome-ignore lint/a11y/noNoninteractiveTabindex: role application
      tabIndex={0}
      onScroll={(event) => setScrollTop(event.currentTarget.scrollTop)}
      onKeyDown={press}
      onMouseMove={hover}
      onMouseLeave={() => actions.point(null)}
      onClick={choose}
    >
      <div className="token-lines" style={{ height: lines.length * lineHeight }}>
        {lines.slice(first, last).map((line, at) => (
          <TokenLine
            key={line.start}
            line={line}
            top={(first + at) * lineHeight}
            tokenTexts={shownTexts(text)}
            needles={text.needles}
            row={row}
            query={query >= line.start && query < line.end ? query : null}
            pointed={pointed !== null && pointed >= line.start && pointed < line.end ? pointed : null}
            answerStart={text.answerStart}
          />
        ))}
      </div>
      <p className="visually-hidden" aria-live="polite">
        {pointed !== null && `token ${pointed}: ${nameToken(shownTexts(text)[pointed] ?? '')}`}
      </p>
    </div>
  );
}

function tokenOf(event: MouseEvent): number | null {
  const element = event.target instanceof Element ? event.target.closest('[data-token]') : null;
  return element ? Number(element.getAttribute('data-token')) : null;
}
