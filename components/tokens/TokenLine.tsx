import { type CSSProperties, memo } from 'react';
import type { QueryRow } from '../../src/measure/results';
import type { NeedleFacts } from '../../src/study/facts';
import { showToken } from '../shared/format';
import type { Line } from './lines';
import { lookOf, needleAt } from './token-class';

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
export const TokenLine = memo(function TokenLine(props: TokenLineProps) {
  const { line, top, tokenTexts, needles, row, query, pointed, answerStart } = props;
  return (
    <div className="token-line" style={{ top }}>
      {tokenTexts.slice(line.start, line.end).map((text, at) => {
        const token = line.start + at;
        const look = lookOf(row, token);
        const needle = needleAt(needles, token);
        return (
          <span
            key={token}
            className="token"
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

/** The sheet turns the shade into a colour of the theme. */
function shadeStyle(shade: number): CSSProperties | undefined {
  return shade > 0 ? ({ '--shade': shade.toFixed(2) } as CSSProperties) : undefined;
}
