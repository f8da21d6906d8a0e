import { useLayoutEffect, useRef } from 'react';
import type { QueryRow } from '../../src/measure/results';
import { useView } from '../../src/page/hooks';
import type { TextFacts } from '../../src/study/facts';
import { formatCount } from '../shared/format';
import { palettes } from '../shared/palette';
import { useSize } from '../shared/useSize';
import styles from './TokenPanel.module.css';
import { lookOf } from './token-look';

const HEIGHT = 22;

interface OverviewProps {
  text: TextFacts;
  row: QueryRow | null;
  onJump: (token: number) => void;
}

/** The whole text in one line: bars of weight, kept keys beneath, missed ones on top. A press goes there. */
export function Overview({ text, row, onJump }: OverviewProps) {
  const theme = useView('theme');
  const [box, { width }] = useSize<HTMLButtonElement>({ width: 760, height: HEIGHT });
  const canvas = useRef<HTMLCanvasElement>(null);
  const ratio = typeof devicePixelRatio === 'number' ? devicePixelRatio : 1;

  useLayoutEffect(() => {
    const context = canvas.current?.getContext('2d');
    if (!context) return;
    const { kept, missed, line, heat, ink } = palettes[theme];
    context.setTransform(ratio, 0, 0, ratio, 0, 0);
    context.clearRect(0, 0, width, HEIGHT);
    context.fillStyle = line;
    context.fillRect(0, HEIGHT - 4, width, 3);
    const perToken = width / text.tokens;
    const bar = Math.max(1, perToken);
    const late: (() => void)[] = [];
    for (let token = 0; token < text.tokens; token++) {
      const { state, shade } = lookOf(row, token);
      if (state === 'future') break;
      const x = token * perToken;
      const tall = shade * (HEIGHT - 6);
      if (state === 'missed') {
        late.push(() => {
          context.fillStyle = missed;
          context.fillRect(x, HEIGHT - 5 - Math.max(4, tall), Math.max(1.5, bar), Math.max(4, tall) + 4);
        });
        continue;
      }
      context.globalAlpha = 0.55;
      context.fillStyle = heat;
      context.fillRect(x, HEIGHT - 5 - tall, bar, tall);
      context.globalAlpha = 1;
      if (state === 'kept') {
        context.fillStyle = kept;
        context.fillRect(x, HEIGHT - 4, bar, 3);
      }
    }
    for (const paint of late) paint();
    context.strokeStyle = ink;
    for (const { start, end, asked } of text.needles) {
      if (asked) context.strokeRect(start * perToken - 1.5, 0.5, (end - start) * perToken + 3, HEIGHT - 1);
    }
  }, [text, row, theme, width, ratio]);

  return (
    <button
      ref={box}
      type="button"
      className={styles.overview}
      tabIndex={-1}
      aria-label={`Overview of ${formatCount(text.tokens)} tokens: press to go there`}
      onClick={(event) => {
        const { left, width: wide } = event.currentTarget.getBoundingClientRect();
        onJump(Math.min(text.tokens - 1, Math.floor(((event.clientX - left) / wide) * text.tokens)));
      }}
    >
      <canvas ref={canvas} width={Math.round(width * ratio)} height={Math.round(HEIGHT * ratio)} />
    </button>
  );
}
