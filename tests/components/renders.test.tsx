/** Which components render when one parameter moves: its control, and what shows a consequence. */
import { act, waitFor } from '@testing-library/react';
import { beforeEach, expect, it, vi } from 'vitest';
import { App } from '../../components/app/App';
import type { StudyEvents } from '../../src/study/client';
import { renderWith, testPage } from './render-page';

const { rendered, counted } = vi.hoisted(() => {
  const rendered = new Set<string>();
  /** A module whose components say that they render. */
  const counted = async (original: () => Promise<unknown>) =>
    Object.fromEntries(
      Object.entries((await original()) as Record<string, unknown>).map(([name, value]) => {
        const isComponent = typeof value === 'function' && /^[A-Z][a-z]/.test(name);
        const said = (...props: unknown[]) => {
          rendered.add(name);
          return (value as (...props: unknown[]) => unknown)(...props);
        };
        return [name, isComponent ? said : value];
      }),
    );
  return { rendered, counted };
});
vi.mock('../../components/app/Notices', counted);
vi.mock('../../components/map/MapAxes', counted);
vi.mock('../../components/map/MapCanvas', counted);
vi.mock('../../components/map/MapMarks', counted);
vi.mock('../../components/map/MapPanel', counted);
vi.mock('../../components/map/MapSurface', counted);
vi.mock('../../components/map/MapToolbar', counted);
vi.mock('../../components/map/ReadOut', counted);
vi.mock('../../components/map/Thumbnails', counted);
vi.mock('../../components/method/MethodPanel', counted);
vi.mock('../../components/method/NumberControl', counted);
vi.mock('../../components/method/Parameters', counted);
vi.mock('../../components/method/QuerySees', counted);
vi.mock('../../components/results/AnswerPanel', counted);
vi.mock('../../components/results/AnswerTexts', counted);
vi.mock('../../components/results/Chart', counted);
vi.mock('../../components/results/Divergence', counted);
vi.mock('../../components/results/KeptPanel', counted);
vi.mock('../../components/results/LayerRecall', counted);
vi.mock('../../components/results/SweepChart', counted);
vi.mock('../../components/results/SweepHandle', counted);
vi.mock('../../components/results/SweepPanel', counted);
vi.mock('../../components/results/TimeLine', counted);
vi.mock('../../components/shared/Button', counted);
vi.mock('../../components/shared/CopyMenu', counted);
vi.mock('../../components/shared/Panel', counted);
vi.mock('../../components/shared/Popover', counted);
vi.mock('../../components/shared/Segments', counted);
vi.mock('../../components/shared/Stale', counted);
vi.mock('../../components/shared/Term', counted);
vi.mock('../../components/tokens/NeedleChips', counted);
vi.mock('../../components/tokens/Overview', counted);
vi.mock('../../components/tokens/TokenPanel', counted);
vi.mock('../../components/tokens/TokenStrip', counted);
vi.mock('../../components/top-bar/RunState', counted);
vi.mock('../../components/top-bar/SourcePicker', counted);
vi.mock('../../components/top-bar/TopBar', counted);

async function openPage() {
  const heard: StudyEvents[] = [];
  const page = await testPage({ silentFrom: 1, hear: (events) => heard.push(events) });
  const { unmount } = renderWith(page, <App page={page} />);
  await act(async () => {
    await page.idle();
  });
  return { page, events: heard[0]!, unmount };
}

/** Lets what was scheduled happen. */
const settle = () => act(() => new Promise((resolve) => setTimeout(resolve, 150)));

beforeEach(() => rendered.clear());

it('renders its control, the marks of what is stale, the run and the map when a slider moves', async () => {
  const { page } = await openPage();
  expect(rendered).toContain('SweepChart');
  await settle();
  rendered.clear();
  act(() => page.actions.setParameter('compressedDim', 8, true));
  await waitFor(() => expect(page.store.getState().running).toBe(true));
  await settle();
  expect([...rendered].sort()).toEqual([
    'AtRest', // what cannot be asked for during a run
    'Button', // Cancel
    'MapCanvas', // asks for the new method's shares
    'NumberControl',
    'RunState',
    'Stale',
    'StaleLine',
    'StaleName',
    'Thumbnails', // a bar has no room for a name: without its numbers it goes
  ]);
});

it('renders the text and the map, and no panel of results, when the selection is there', async () => {
  const { page, events } = await openPage();
  act(() => page.actions.setParameter('compressedDim', 8, true));
  await waitFor(() => expect(page.store.getState().running).toBe(true));
  await settle();
  rendered.clear();
  act(() => events.selectionReady());
  await waitFor(() => expect(page.store.getState().row?.method.parameters.compressedDim).toBe(8));
  await settle();
  for (const name of ['MapCanvas', 'QuerySees', 'TokenStrip', 'Overview']) expect(rendered).toContain(name);
  for (const name of [
    ...['AnswerPanel', 'KeptPanel', 'LayerRecall', 'SweepPanel', 'SweepChart', 'DivergenceStrip'],
    ...[
      'MapPanel',
      'MapSurface',
      'MapAxes',
      'MapToolbar',
      'MapLegend',
      'ReadOut',
      'MethodPanel',
      'NumberControl',
    ],
    ...['TopBar', 'SourcePicker', 'Notices'],
  ])
    expect(rendered).not.toContain(name);
});
