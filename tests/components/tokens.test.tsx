import { act, screen, waitFor } from '@testing-library/react';
import userEvent from '@testing-library/user-event';
import { describe, expect, it } from 'vitest';
import { nameToken } from '../../components/shared/format';
import { breakLines, lineOf } from '../../components/tokens/lines';
import { TokenPanel } from '../../components/tokens/TokenPanel';
import { valueTokens } from '../../components/tokens/token-look';
import { KEY_FATES } from '../../src/measure/results';
import { renderWith, testPage } from './render-page';

describe('the token strip', () => {
  it('shows tokens that look like markup as text', async () => {
    const page = await testPage();
    const { container } = renderWith(page, <TokenPanel />);
    const text = 'One <script>alert(1)</script> <img/src=x/onerror=alert(2)> &amp; two';
    act(() => page.actions.setSource({ kind: 'text', text }));
    await act(() => page.idle());
    expect(screen.getByText('<script>alert(1)</script>')).toBeVisible();
    expect(screen.getByText('<img/src=x/onerror=alert(2)>')).toBeVisible();
    expect(screen.getByText('&amp;')).toBeVisible();
    expect(container.querySelector('script, img')).toBeNull();
  });

  it('tells kept, missed and dropped tokens apart, and counts of each needle what the free run saw', async () => {
    const page = await testPage({ hash: '#layer=5&head=3' });
    const { container } = renderWith(page, <TokenPanel />);
    await act(() => page.idle());
    await screen.findByRole('button', { name: /amber lantern \d\/5/ });
    expect(container.querySelectorAll('[data-token][data-state="kept"]').length).toBeGreaterThan(0);
    expect(container.querySelectorAll('[data-token][data-state="dropped"]').length).toBeGreaterThan(0);
    expect(container.querySelectorAll('[data-needle="asked"]').length).toBeGreaterThan(0);
    const chips = () => screen.getAllByRole('button', { name: /\d\/5/ });
    const counts = () => chips().map(({ textContent }) => textContent?.slice(-3));
    expect(counts()).toEqual(['5/5', '5/5', '3/5', '5/5']);
    expect(chips().map((chip) => chip.hasAttribute('data-lost'))).toEqual([false, false, true, false]);
    expect(chips()[2]).toHaveAttribute(
      'title',
      'pale anchor: 33520, 3 of the 5 digits were seen by the query that wrote each, in layer 5, head 3',
    );
    // Another query than those that wrote the answer changes nothing, another head does.
    act(() => page.actions.setView({ query: 300 }, true));
    expect(counts()).toEqual(['5/5', '5/5', '3/5', '5/5']);
    act(() => page.actions.setView({ layer: 6, head: 0 }, true));
    expect(counts()).toEqual(['5/5', '5/5', '2/5', '5/5']);
  });

  it('calls a needle lost where the query lost it, not where it is still to come or mixed with others', async () => {
    const page = await testPage({ hash: '#method=freqkv&query=3' });
    renderWith(page, <TokenPanel />);
    await act(() => page.idle());
    const chips = () => screen.getAllByRole('button', { name: /^\w+ \w+ \d+ of \d+ tokens$/ });
    const lost = () => chips().map((chip) => chip.hasAttribute('data-lost'));
    await screen.findByRole('button', { name: 'amber lantern 0 of 15 tokens' });
    expect(lost()).toEqual([false, false, false, false]);
    act(() => page.actions.setView({ query: page.store.getState().text!.answerStart! }, true));
    await waitFor(() => expect(chips()[0]!.title).not.toMatch('query 3 sees'));
    expect(chips().some(({ textContent }) => !/ (\d+) of \1 tokens$/.test(textContent!))).toBe(true);
    expect(lost()).toEqual([false, false, false, false]);
    const row = page.store.getState().row!;
    const { start } = page.store.getState().text!.needles.find(({ asked }) => asked)!;
    const fates = row.fates.with(start + 1, KEY_FATES.indexOf('dropped'));
    act(() => page.store.setState({ row: { ...row, fates } }));
    expect(lost()).toEqual([true, false, false, false]);
  });

  it('says whose view it shows, in words where the token cannot be seen', async () => {
    const page = await testPage();
    renderWith(page, <TokenPanel />);
    await act(() => page.idle());
    const start = page.store.getState().text!.answerStart!;
    expect(screen.getByText(/^as the blank before the answer sees it/)).toHaveTextContent(
      `query ${start.toLocaleString('en')}`,
    );
    act(() => page.actions.setView({ query: start - 1 }, true));
    expect(screen.getByText(/^as/)).toHaveTextContent('as Answer: sees it');
  });

  it('has elements for the lines in view alone', async () => {
    const page = await testPage({ hash: '#length=16384' });
    const { container } = renderWith(page, <TokenPanel />);
    await act(() => page.idle());
    const drawn = container.querySelectorAll('[data-token]').length;
    expect(drawn).toBeGreaterThan(20);
    expect(drawn).toBeLessThan(1000);
  });

  it('moves from token to token by keyboard, and makes one the query', async () => {
    const page = await testPage();
    renderWith(page, <TokenPanel />);
    await act(() => page.idle());
    screen.getByRole('application').focus();
    await userEvent.keyboard('{Home}{ArrowRight}{ArrowRight}');
    expect(page.store.getState().cell?.key).toBe(2);
    expect(screen.getByText(/^token 2:/)).toBeInTheDocument();
    await userEvent.keyboard('{Enter}');
    expect(page.state().view.query).toBe(2);
  });
});

describe('the name of a token', () => {
  it.each([
    [' lamp', 'lamp'],
    [' ', 'blank'],
    ['   ', 'blanks'],
    ['\u00a0', 'blank'],
    ['\n', 'line end'],
    ['\r\n', 'line end'],
    ['\n\n', 'line ends'],
    ['\t', 'tab'],
    [' \n', 'white space'],
    ['', 'empty token'],
    ['\u200b', 'invisible character'],
    ['a\n', 'a⏎'],
    ['\ufffd', '\ufffd'],
  ])('of %j is %s', (text, name) => {
    expect(nameToken(text)).toBe(name);
  });
});

describe('the value of a needle', () => {
  const needle = { start: 1, end: 8, label: 'lamp', value: '4821', asked: true };
  it('is found token by token, even where a token holds more than it', () => {
    const texts = ['<s>', ' number', ' is', ' ', '4', '8', '21.', ' So'];
    expect(valueTokens(needle, texts)).toEqual({ start: 4, end: 7 });
  });
  it('is the whole needle where it is not in one piece', () => {
    expect(valueTokens(needle, ['<s>', '*', '*', 'a', 'b', 'c', 'd', 'e'])).toEqual({ start: 1, end: 8 });
  });
});

describe('lines', () => {
  const widthOf = (text: string) => text.length;
  it('hold what fits, end at line ends, and lose no token', () => {
    const texts = ['aaa', 'bbb', 'cc\n', 'd', 'eeeeeeeeeeee', 'f'];
    const lines = breakLines(texts, 8, widthOf);
    expect(lines).toEqual([
      { start: 0, end: 2 },
      { start: 2, end: 3 },
      { start: 3, end: 4 },
      { start: 4, end: 5 },
      { start: 5, end: 6 },
    ]);
    expect(texts.map((_, token) => lineOf(lines, token))).toEqual([0, 0, 1, 2, 3, 4]);
  });

  it('are none for an empty text', () => {
    expect(breakLines([], 100, widthOf)).toEqual([]);
  });
});
