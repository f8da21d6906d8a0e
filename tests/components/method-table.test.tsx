import { screen, waitFor, within } from '@testing-library/react';
import userEvent from '@testing-library/user-event';
import { describe, expect, it } from 'vitest';
import { MethodPanel } from '../../components/method/MethodPanel';
import { methods } from '../../src/methods';
import { methodsNotRun } from '../../src/methods/not-run';
import { renderWith, testPage } from './render-page';

async function openTable() {
  const page = await testPage();
  await page.idle();
  renderWith(page, <MethodPanel />);
  await userEvent.click(screen.getByRole('button', { name: 'Method: ESA. Change' }));
  await userEvent.click(await screen.findByRole('button', { name: 'Compare in a table' }));
  await screen.findByRole('dialog', { name: 'Methods side by side' });
  return page;
}

const rows = () => screen.getAllByRole('row').slice(1);
const names = () => rows().map((row) => within(row).getByRole('rowheader').textContent);
const cells = (name: string) => {
  const row = screen.getByRole('rowheader', { name }).closest('tr')!;
  return within(row)
    .getAllByRole('cell')
    .map((cell) => cell.textContent);
};
const column = (name: string) => screen.getByRole('columnheader', { name });

describe('the table of methods', () => {
  it('has a row for each, from traits and formulas at the text’s length', async () => {
    await openTable();
    expect(rows()).toHaveLength(methods.length);
    expect(screen.getByRole('dialog')).toHaveAccessibleDescription(/1,024 tokens/);
    expect(cells('Quest').slice(0, 6)).toEqual([
      'Choose anew',
      'no',
      '16 tokens',
      'query head',
      'decode',
      '–',
    ]);
    expect(cells('SnapKV').slice(1, 6)).toEqual(['yes', 'token', 'KV head', 'decode', 'the last 16 queries']);
    expect(cells('Full attention').slice(6)).toEqual([
      expect.stringMatching(/^100\s%$/),
      expect.stringMatching(/ · 100\s%$/),
      '–',
      expect.stringMatching(/^100\s%$/),
    ]);
    // Its eviction is the text's, and no part of what a query costs.
    expect(cells('SnapKV').at(-2)).toMatch(/^[\d.]+\sM$/);
  });

  it('sorts by a column, up and down, and says so', async () => {
    await openTable();
    expect(column('Bytes read')).toHaveAttribute('aria-sort', 'none');
    const share = (text: string | null) => Number.parseFloat(text!);
    const read = () => rows().map((row) => share(within(row).getAllByRole('cell').at(-1)!.textContent));
    await userEvent.click(screen.getByRole('button', { name: 'Bytes read' }));
    expect(column('Bytes read')).toHaveAttribute('aria-sort', 'ascending');
    expect(read()).toEqual(read().toSorted((a, b) => a - b));
    expect(new Set(read()).size).toBeGreaterThan(3);
    await userEvent.keyboard('{Enter}');
    expect(column('Bytes read')).toHaveAttribute('aria-sort', 'descending');
    expect(read()).toEqual(read().toSorted((a, b) => b - a));
    await userEvent.click(screen.getByRole('button', { name: 'Method' }));
    expect(column('Bytes read')).toHaveAttribute('aria-sort', 'none');
    const sorted = methods.map(({ title }) => title.toLowerCase()).sort((a, b) => (a < b ? -1 : 1));
    expect(names().map((name) => name!.toLowerCase())).toEqual(sorted);
  });

  it('chooses a row’s method, by keyboard and by a click', async () => {
    const page = await openTable();
    const button = screen.getByRole('button', { name: 'LagKV' });
    button.focus();
    await userEvent.keyboard('{Enter}');
    expect(page.state().method).toBe('lagkv');
    expect(screen.queryByRole('dialog')).toBeNull();
    await waitFor(() => expect(screen.getByRole('button', { name: /^Method: LagKV/ })).toHaveFocus());
  });

  it('lists with links what is not run, and closes by Escape', async () => {
    const page = await openTable();
    for (const { summary, url } of methodsNotRun) {
      const entry = screen.getByText((text) => text.startsWith(summary)).closest('li')!;
      expect(within(entry).getByRole('link')).toHaveAttribute('href', url);
    }
    await userEvent.keyboard('{Escape}');
    expect(screen.queryByRole('dialog')).toBeNull();
    expect(page.state().method).toBe('esa');
    await waitFor(() => expect(screen.getByRole('button', { name: /^Method: ESA/ })).toHaveFocus());
  });
});
