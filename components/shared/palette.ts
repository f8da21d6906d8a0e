/** The theme's colours for canvases, which cannot read custom properties; the same values as in app/theme.css. */
import type { Theme } from '../../src/page/choices';

export interface Palette {
  readonly ground: string;
  readonly panel: string;
  readonly line: string;
  readonly ink: string;
  readonly dim: string;
  readonly kept: string;
  readonly missed: string;
  readonly heat: string;
  /** Where the ramps of kept and missed end: the strongest weights. */
  readonly keptStrong: string;
  readonly missedStrong: string;
}

export const palettes: Readonly<Record<Theme, Palette>> = {
  dark: {
    ground: '#0e1114',
    panel: '#14181d',
    line: '#232a32',
    ink: '#e6e9ec',
    dim: '#98a3ae',
    kept: '#35c7b4',
    missed: '#ff9b3d',
    heat: '#f4e6c8',
    keptStrong: '#d9fff7',
    missedStrong: '#ffd9ae',
  },
  light: {
    ground: '#f7f6f3',
    panel: '#ffffff',
    line: '#e2dfd8',
    ink: '#1d2126',
    dim: '#5c666f',
    kept: '#0c8f7f',
    missed: '#c75f00',
    heat: '#2a2118',
    keptStrong: '#03322c',
    missedStrong: '#7a2e00',
  },
};
