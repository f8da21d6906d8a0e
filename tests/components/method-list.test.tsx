import { screen, waitFor, within } from '@testing-library/react';
import userEvent from '@testing-library/user-event';
import { describe, expect, it } from 'vitest';
import { MethodPanel } from '../../components/method/MethodPanel';
import { methods } from '../../src/methods';
import { methodsNotRun } from '../../src/methods/not-run';
import { renderWith, testPage } from './render-page';

async function openList() {
  const page = await testPage();
  renderWith(page, <MethodPanel />);
  await userEvent.click(screen.getByRole('button', { name: 'Method: ESA. Change' }));
  return { page, field: await screen.findByRole('combobox', { name: 'Search methods' }) };
}

const options = () => screen.getAllByRole('option');
const optionNamed = (name: RegExp) => screen.getByRole('option', { name });
/** The option that Enter would choose, as a screen reader is told. */
const activeOption = (field: HTMLElement) =>
  document.getElementById(field.getAttribute('aria-activedescendant') ?? '');

describe('the list of methods', () => {
  it('is a combobox over a list in groups, with a rule for each, opened at the chosen one', async () => {
    const { field } = await openList();
    await waitFor(() => expect(field).toHaveFocus());
    expect(field).toHaveAttribute('aria-controls', screen.getByRole('listbox', { name: 'Methods' }).id);
    expect(options()).toHaveLength(methods.length + methodsNotRun.length);
    const groups = within(screen.getByRole('listbox')).getAllByRole('group');
    expect(groups.map((group) => group.getAttribute('aria-label'))).toEqual([
      'Drop keys',
      'Choose anew',
      'Transform the cache',
      'Allocate budgets',
      'Baselines',
      'Not run here',
    ]);
    const choose = screen.getByRole('group', { name: 'Choose anew' });
    const esa = within(choose).getByRole('option', { name: /^ESA/ });
    expect(esa).toHaveTextContent('compressed query · key');
    expect(esa).toHaveAttribute('aria-selected', 'true');
    expect(activeOption(field)).toBe(esa);
  });

  it.each([
    ['title', 'lagkv', /^LagKV/],
    ['id', 'streaming-llm', /^StreamingLLM/],
    ['authors', 'xiao 2023', /^StreamingLLM/],
    ['rule', 'lower rank', /^LoRC/],
    ['group', 'transform low-passes', /^FreqKV/],
  ])('finds by %s', async (_what, text, found) => {
    await openList();
    await userEvent.keyboard(text);
    expect(options()).toHaveLength(1);
    expect(optionNamed(found)).toBeVisible();
    expect(screen.getByText('1 method')).toHaveAttribute('role', 'status');
  });

  it.each([
    ['heavy hitter', ['H2O', 'Observed attention']],
    ['ChunkPress', ['Chunk by chunk']],
    ['knormpress', ['Knorm']],
    ['Transformers are Multi-State RNNs', ['TOVA']],
    ['prefill vertical-slash', ['MInference']],
    ['query-agnostic reconstruction', ['KVzip']],
    ['decode page', ['Quest']],
  ])('finds “%s” by what is fetched with it', async (text, found) => {
    await openList();
    await userEvent.keyboard(text);
    const titles = () => screen.queryAllByRole('option').map((option) => option.firstChild?.textContent);
    await waitFor(() => expect(titles().sort()).toEqual(found));
  });

  it('says when nothing is found, and shows all again', async () => {
    const { field } = await openList();
    await userEvent.keyboard('qqq');
    expect(screen.queryAllByRole('option')).toEqual([]);
    expect(screen.getByText('No method has these words.')).toBeVisible();
    expect(field).not.toHaveAttribute('aria-activedescendant');
    await userEvent.keyboard('{Enter}');
    await userEvent.clear(field);
    expect(options()).toHaveLength(methods.length + methodsNotRun.length);
    expect(activeOption(field)).toHaveTextContent(/^ESA/);
  });

  it('is walked by arrows, round its ends, and Enter chooses', async () => {
    const { page, field } = await openList();
    const listed = options();
    const start = listed.indexOf(activeOption(field)!);
    await userEvent.keyboard('{ArrowDown}');
    expect(activeOption(field)).toBe(listed[start + 1]);
    await userEvent.keyboard('{ArrowUp}{PageUp}{PageUp}{PageUp}{PageUp}{PageUp}{PageUp}{PageUp}{PageUp}');
    expect(activeOption(field)).toBe(listed[0]);
    await userEvent.keyboard('{ArrowUp}');
    expect(activeOption(field)).toBe(listed.at(-1));
    await userEvent.clear(field);
    await userEvent.keyboard('sink{Enter}');
    expect(page.state().method).toBe('streaming-llm');
    expect(screen.queryByRole('listbox')).toBeNull();
    expect(screen.getByRole('button', { name: 'Method: StreamingLLM. Change' })).toHaveFocus();
  });

  it('is closed by Escape with nothing chosen, and chosen from by a click', async () => {
    const { page } = await openList();
    await userEvent.keyboard('{ArrowDown}{Escape}');
    expect(screen.queryByRole('listbox')).toBeNull();
    expect(page.state().method).toBe('esa');
    await userEvent.click(screen.getByRole('button', { name: 'Method: ESA. Change' }));
    await userEvent.click(optionNamed(/^LagKV/));
    expect(page.state().method).toBe('lagkv');
  });

  it('says of those that are not run why, with a link, and lets nobody choose them', async () => {
    const { page, field } = await openList();
    await userEvent.keyboard('languashrink');
    const entry = optionNamed(/^LanguaShrink/);
    expect(entry).toHaveAttribute('aria-disabled', 'true');
    expect(entry).toHaveTextContent('gives no formula');
    expect(activeOption(field)).toBe(entry);
    expect(screen.getByRole('link', { name: 'LanguaShrink: 2024' })).toHaveAttribute(
      'href',
      'https://arxiv.org/abs/2409.00855',
    );
    await userEvent.keyboard('{Enter}');
    await userEvent.click(entry);
    expect(page.state().method).toBe('esa');
    expect(screen.getByRole('listbox')).toBeVisible();
  });

  it('has nothing in an option that takes the focus, and a name for every list and field', async () => {
    await openList();
    for (const option of options()) {
      expect(option.querySelector('a, button, input, [tabindex]')).toBeNull();
      expect(option.closest('[role=group]')).toHaveAttribute('aria-label');
      expect(option).toHaveAttribute('aria-selected');
    }
    const ids = [...document.querySelectorAll('[id]')].map(({ id }) => id);
    expect(new Set(ids).size).toBe(ids.length);
  });
});
