import { type CSSProperties, type KeyboardEvent, type MouseEvent, memo, useEffect, useState } from 'react';
import type { QueryRow } from '../../src/measure/results';
import { usePage, usePageState } from '../../src/page/hooks';
import { shownTexts } from '../../src/page/shown-texts';
import type { NeedleFacts, TextFacts } from '../../src/study/facts';
import { formatCount, nameToken, showToken } from '../shared/format';
import { Hidden } from '../shared/Text';
import { useSize } from '../shared/useSize';
import { LINE_HEIGHT, type Line, lineOf, useLines } from './lines';
import styles from './TokenStrip.module.css';
import { lookOf, needleAt } from './token-look';

/** Lines kept above and below the view, so that scrolling shows no gaps. */
const SPARE_LINES = 4;

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
  const pointed = usePageState('cell')?.key ?? null;
  const [box, size] = useSize<HTMLDivElement>({ width: 760, height: 150 });
  const [scrollTop, setScrollTop] = useState(0);
  const lines = useLines(shownTexts(text), size.width - 4);
  const first = Math.max(0, Math.floor(scrollTop / LINE_HEIGHT) - SPARE_LINES);
  const last = Math.min(lines.length, Math.ceil((scrollTop + size.height) / LINE_HEIGHT) + SPARE_LINES);

  useEffect(() => {
    const element = box.current;
    if (!target || !element) return;
    const top = lineOf(lines, target.token) * LINE_HEIGHT;
    element.scrollTop = Math.max(0, top - LINE_HEIGHT);
    setScrollTop(element.scrollTop);
  }, [target, lines, box]);

  const reveal = (token: number) => {
    const element = box.current;
    if (!element) return;
    const top = lineOf(lines, token) * LINE_HEIGHT;
    if (top < element.scrollTop) element.scrollTop = top;
    if (top + LINE_HEIGHT > element.scrollTop + size.height)
      element.scrollTop = top + LINE_HEIGHT - size.height;
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
      className={styles.strip}
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
      <div className={styles.lines} style={{ height: lines.length * LINE_HEIGHT }}>
        {lines.slice(first, last).map((line, at) => (
          <TokenLine
            key={line.start}
            line={line}
            top={(first + at) * LINE_HEIGHT}
            tokenTexts={shownTexts(text)}
            needles={text.needles}
            row={row}
            query={query >= line.start && query < line.end ? query : null}
            pointed={pointed !== null && pointed >= line.start && pointed < line.end ? pointed : null}
            answerStart={text.answerStart}
          />
        ))}
      </div>
      <Hidden aria-live="polite">
        {pointed !== null && `token ${pointed}: ${nameToken(shownTexts(text)[pointed] ?? '')}`}
      </Hidden>
    </div>
  );
}

interface TokenLineProps {
  line: Line;
  top: number;
  tokenTexts: readonly string[];
  needles: readonly NeedleFacts[];
  row: QueryRow | null;
  query: number | null;
  /** The token under the pointer or the keyboard, if it is in this line. */
  pointed: number | null;
  answerStart: number | null;
}

/** One line of tokens. Token texts come from files and links: they are text nodes and nothing else. */
const TokenLine = memo(function TokenLine(props: TokenLineProps) {
  const { line, top, tokenTexts, needles, row, query, pointed, answerStart } = props;
  return (
    <div className={styles.line} style={{ top }}>
      {tokenTexts.slice(line.start, line.end).map((text, at) => {
        const token = line.start + at;
        const look = lookOf(row, token);
        const needle = needleAt(needles, token);
        return (
          <span
            key={token}
            className={styles.token}
            data-token={token}
            data-state={look.state}
            data-part={look.part ?? undefined}
            data-needle={needle ? (needle.asked ? 'asked' : 'other') : undefined}
            data-needle-start={needle?.start === token || undefined}
            data-needle-end={needle?.end === token + 1 || undefined}
            data-query={token === query || undefined}
            data-pointed={token === pointed || undefined}
            data-answer={(answerStart !== null && token >= answerStart) || undefined}
            style={shadeStyle(look.shade)}
          >
            {showToken(text)}
          </span>
        );
      })}
    </div>
  );
});

/** The style sheet turns the shade into a colour of the theme. */
function shadeStyle(shade: number): CSSProperties | undefined {
  return shade > 0 ? ({ '--shade': shade.toFixed(2) } as CSSProperties) : undefined;
}

function tokenOf(event: MouseEvent): number | null {
  const element = event.target instanceof Element ? event.target.closest('[data-token]') : null;
  return element ? Number(element.getAttribute('data-token')) : null;
}
