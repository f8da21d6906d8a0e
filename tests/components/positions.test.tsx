import { fireEvent, screen, waitFor } from '@testing-library/react';
import { afterEach, describe, expect, test } from 'vitest';
import { MapPanel } from '../../components/map/MapPanel';
import { isMissed } from '../../src/page/explain/explain-key';
import type { Page } from '../../src/page/page';
import { renderWith, testPage } from './render-page';

let page: Page;
afterEach(() => page.dispose());

/** The map of a study of one needle, once its row is there. */
async function open(hash: string) {
  page = await testPage({ hash: `task=single-needle&${hash}` });
  await page.idle();
  renderWith(page, <MapPanel />);
  await waitFor(() => expect(page.store.getState().row).not.toBeNull());
  return {
    surface: screen.getByRole('application', { name: /Attention map/ }),
    choice: () => screen.queryByRole('radio', { name: 'own' })?.getAttribute('aria-checked') ?? null,
    row: () => page.store.getState().row!,
  };
}

describe('whose positions the map is drawn under', () => {
  test('within the trained length the model’s, with a switch where the method has its own', async () => {
    const { surface, choice, row } = await open('length=1000&method=esa');
    expect(choice()).toBe('false');
    expect(surface).not.toHaveAttribute('data-void');
    expect(row().positions).toBe('model');
    fireEvent.click(screen.getByRole('radio', { name: 'own' }));
    expect(choice()).toBe('true');
    expect(screen.getByText('weight, own positions, log')).toBeVisible();
    await waitFor(() => expect(row().positions).toBe('own'));
    expect((await page.share()).url).toContain('&positions=own&');
  });

  test('past it the method’s own; the model’s on demand, grey and with the reason', async () => {
    const { surface, choice, row } = await open('length=2048&method=esa');
    expect(choice()).toBe('true');
    expect(surface).not.toHaveAttribute('data-void');
    expect(row().positions).toBe('own');
    fireEvent.click(screen.getByRole('radio', { name: 'model' }));
    expect(surface).toHaveAttribute('data-void');
    expect(screen.getByText(/Past the trained length: weights at the model’s positions/)).toBeVisible();
    await waitFor(() => expect(row().positions).toBe('model'));
  });

  test('past it grey, and nothing to choose, for a method that has no others', async () => {
    const { surface, choice } = await open('length=2048&method=oracle');
    expect(choice()).toBeNull();
    expect(surface).toHaveAttribute('data-void');
  });

  test('past it kept keys only where positions are places in the cache: nothing is missed', async () => {
    const { surface, choice, row } = await open('length=2048&method=streaming-llm&p.positions=cache');
    expect(choice()).toBeNull();
    expect(surface).not.toHaveAttribute('data-void');
    expect(screen.getByText(/Kept keys only/)).toBeVisible();
    expect(row().positions).toBe('cache');
    expect([...row().fates.keys()].filter((key) => isMissed(row(), key))).toEqual([]);
  });

  test('a link says which', async () => {
    const { choice, row } = await open('length=1000&method=esa&positions=own');
    expect(choice()).toBe('true');
    expect(row().positions).toBe('own');
  });
});
