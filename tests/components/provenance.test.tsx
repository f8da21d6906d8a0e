import { act, screen } from '@testing-library/react';
import userEvent from '@testing-library/user-event';
import { describe, expect, it, vi } from 'vitest';
import { MapPanel } from '../../components/map/MapPanel';
import { QuerySees } from '../../components/method/QuerySees';
import { AnswerPanel } from '../../components/results/AnswerPanel';
import { KeptPanel } from '../../components/results/KeptPanel';
import { LayerRecall } from '../../components/results/LayerRecall';
import { SweepPanel } from '../../components/results/SweepPanel';
import { staleName } from '../../components/shared/provenance';
import { toTsv } from '../../components/shared/table';
import { TokenPanel } from '../../components/tokens/TokenPanel';
import type { MethodSpec } from '../../src/methods/method-spec';
import type { Parameters } from '../../src/methods/parameters';
import { defaultSession } from '../../src/page/choices';
import { fillParameters } from '../../src/page/dependent-defaults';
import { readLink } from '../../src/page/link/link';
import type { Page } from '../../src/page/page';
import { environment } from '../page/environment';
import { renderWith, testPage } from './render-page';

/** Random is measured; Oracle has been chosen and its run cancelled before it said anything. */
async function cancelled(): Promise<Page> {
  const page = await testPage({
    hash: '#length=1024&method=random&p.keepFraction=0.3&p.seed=5&pin=none',
    silentFrom: 1,
  });
  await page.idle();
  page.actions.setMethod('oracle');
  await vi.waitFor(() => expect(page.store.getState().running).toBe(true));
  page.cancel();
  return page;
}

async function copied(what: string, form: 'tab-separated' | 'JSON'): Promise<string> {
  await userEvent.click(screen.getByRole('button', { name: `Copy or show ${what}` }));
  await userEvent.click(screen.getByRole('button', { name: `Copy data ${form}` }));
  expect(await screen.findByText('Data copied.')).toBeVisible();
  return navigator.clipboard.readText();
}

describe('numbers of another choice', () => {
  it.each([
    ['the answer', AnswerPanel],
    ['kept and lost', KeptPanel],
    ['mass recall by layer', LayerRecall],
    ['recall against kept keys', SweepPanel],
    ['the text', TokenPanel],
  ])('%s: grey, under the name of what made them', async (_, Panel) => {
    const page = await cancelled();
    const { container } = renderWith(page, <Panel />);
    await act(() => page.idle());
    expect(screen.getByRole('region')).toHaveAttribute('data-stale');
    const name = screen.getByText(/^still Random, Kept fraction 30\s%$/);
    expect(name).toHaveAttribute(
      'title',
      expect.stringMatching(
        /^Measured before: Random, Kept fraction 30\s%, Seed 5, Positions original, Four/,
      ),
    );
    expect(container).not.toHaveTextContent(/Oracle/);
  });

  it.each([
    ['another budget', 'lagkv', { keepFraction: 0.5 }, /^LagKV, Kept fraction 25\s%$/],
    ['two', 'lagkv', { keepFraction: 0.5, lagTokens: 64 }, /^LagKV, Kept fraction 25\s%, Lag 32$/],
    [
      'more',
      'lagkv',
      { keepFraction: 0.5, lagTokens: 64, sinkTokens: 3, valueWeight: 0 },
      /^LagKV, Kept fraction 25\s%, Sink tokens 16, 2 more parameters$/,
    ],
    [
      'another method with a parameter of that name',
      'oracle',
      { keepFraction: 0.5 },
      /^LagKV, Kept fr[^,]+$/,
    ],
    ['the same budget of another method', 'oracle', { keepFraction: 0.25 }, /^LagKV$/],
    ['a method that shares nothing', 'full', {}, /^LagKV$/],
  ])('differ in %s: told by that alone', (_, id, changed, name) => {
    const { findMethod } = environment;
    const choice = defaultSession(findMethod, environment.contextOf);
    const context = environment.contextOf(choice.source);
    const spec = (method: string, named: Parameters): MethodSpec => ({
      id: method,
      parameters: fillParameters(findMethod(method)!, named, context),
    });
    const before = { keepFraction: 0.25, lagTokens: 32, sinkTokens: 16 };
    const by = { ...choice, method: spec('lagkv', before), version: '1.2.3', modelDigest: null };
    const now = { ...choice, method: spec(id, { ...(id === 'lagkv' ? before : {}), ...changed }) };
    expect(staleName(by, now, findMethod)).toMatch(name);
  });

  it('the keys under the map: copied under that name', async () => {
    const page = await cancelled();
    renderWith(page, <MapPanel />);
    await act(() => page.idle());
    expect(JSON.parse(await copied('the chosen query’s keys', 'JSON'))).toMatchObject({
      method: 'Random',
      stale: expect.stringContaining('true'),
    });
  });

  it('the keys of a text that is no longer chosen: copied under its name, with its link', async () => {
    const page = await testPage({ hash: '#length=1024&seed=3&pin=none', silentFrom: 1 });
    await page.idle();
    act(() => page.actions.setSource({ kind: 'sample', sample: 'short', tokens: null }));
    await vi.waitFor(() => expect(page.store.getState().running).toBe(true));
    act(() => page.cancel());
    renderWith(page, <MapPanel />);
    renderWith(page, <QuerySees />);
    expect(
      screen.getByText(/^still ESA, Four needles, ≤ 1,024 tokens · depth spread · seed 3$/),
    ).toBeVisible();
    const data = JSON.parse(await copied('the chosen query’s keys', 'JSON'));
    expect(data).toMatchObject({
      study: 'Four needles, ≤ 1,024 tokens · depth spread · seed 3',
      stale: expect.stringContaining('true'),
    });
    const { session } = await readLink(new URL(data.link).hash, environment);
    expect(session.source).toMatchObject({ kind: 'task', seed: 3 });
  });

  it('what the query sees: as Random chose it', async () => {
    const page = await cancelled();
    renderWith(page, <QuerySees />);
    expect(screen.getByText(/^still Random/)).toBeVisible();
  });

  it('have the command that makes them, and none where their text is gone', async () => {
    const page = await cancelled();
    renderWith(page, <KeptPanel />);
    const user = userEvent.setup();
    await user.click(screen.getByRole('button', { name: 'Copy or show kept and lost' }));
    await user.click(screen.getByRole('button', { name: 'Copy command' }));
    expect(await screen.findByText('Command copied.')).toBeVisible();
    const line = await navigator.clipboard.readText();
    expect(line).toContain(' --methods random ');
    expect(line).toContain('"random":{"keepFraction":0.3,"seed":5,');
    act(() => page.actions.setSource({ kind: 'sample', sample: 'short', tokens: null }));
    await vi.waitFor(() => expect(page.store.getState().running).toBe(true));
    act(() => page.cancel());
    // The numbers and the text are still those of before.
    expect(screen.getByRole('button', { name: 'Copy command' })).toBeVisible();
    act(() => page.store.setState({ textKey: 'of another text' }));
    expect(screen.queryByRole('button', { name: 'Copy command' })).toBeNull();
  });

  it('are copied under that name, and marked', async () => {
    const page = await cancelled();
    renderWith(page, <KeptPanel />);
    const data = JSON.parse(await copied('kept and lost', 'JSON'));
    expect(data).toMatchObject({
      study: expect.stringContaining('1,024 tokens'),
      method: 'Random',
      parameters: '{"keepFraction":0.3,"seed":5,"positions":"original"}',
      version: 'Keyhole 1.2.3',
      model: 'bundled model, digest 5f1d0c2ab9e4',
      stale: expect.stringContaining('true'),
    });
    const { session } = await readLink(new URL(data.link).hash, environment);
    expect(session.method).toEqual({
      id: 'random',
      parameters: { keepFraction: 0.3, seed: 5, positions: 'original' },
    });
  });
});

describe('copied data of the present choice', () => {
  it('say below the rows what made them, and open the study again', async () => {
    const page = await testPage({ hash: '#method=lagkv&p.keepFraction=0.5&seed=3' });
    renderWith(page, <LayerRecall />);
    await act(() => page.idle());
    const text = await copied('mass recall by layer', 'tab-separated');
    const lines = text.split('\n').map((line) => line.split('\t'));
    expect(lines[0]!.slice(0, 3)).toEqual(['layer', 'measured with', 'mass recall']);
    expect(lines.slice(1, 9).map(([layer, method]) => [layer, method])).toEqual(
      Array.from({ length: 8 }, (_, layer) => [String(layer), 'LagKV']),
    );
    const facts = Object.fromEntries(lines.slice(10));
    expect(facts).toMatchObject({ method: 'LagKV', version: 'Keyhole 1.2.3' });
    expect(facts.study).toContain('seed 3');
    expect(facts).not.toHaveProperty('stale');
    const { session } = await readLink(new URL(facts.link!).hash, environment);
    expect(session.method.parameters).toEqual(page.state().parameters);
    expect(session.source).toEqual(page.state().source);
  });

  it('stand in the table that is shown, too', async () => {
    const page = await testPage();
    renderWith(page, <SweepPanel />);
    await act(() => page.idle());
    await userEvent.click(screen.getByRole('button', { name: 'Copy or show recall against kept keys' }));
    await userEvent.click(screen.getByRole('button', { name: 'Show as table' }));
    expect(screen.getByRole('table', { hidden: true })).toHaveTextContent(
      /method: ESA · parameters: .* · model: bundled model, digest 5f1d0c2ab9e4 · version: Keyhole 1\.2\.3/,
    );
  });
});

describe('cells that a spreadsheet would run', () => {
  it.each([
    ['=HYPERLINK("http://x")', '"\'=HYPERLINK(""http://x"")"'],
    ['+1+1', "'+1+1"],
    ['-2', "'-2"],
    ['@SUM(1+1)*cmd|…', "'@SUM(1+1)*cmd|…"],
    ['\t=1', "' =1"],
    ['\r\n=1', "'  =1"],
    [' =1', "' =1"],
    ['\u0000=1', "'\u0000=1"],
    ['＝1+1', "'＝1+1"],
    // Read as a cell in quotes, it would be =1+1.
    ['"=1+1"', '"""=1+1"""'],
    // Alone, it would take in the cells after it.
    ['"', '""""'],
    ['a "b" c', '"a ""b"" c"'],
    ['a=1', 'a=1'],
    ['−0.5', '−0.5'],
  ])('%j is a text', (cell, expected) => {
    expect(toTsv({ columns: ['token'], rows: [[cell]] })).toBe(`token\n${expected}`);
  });

  it('numbers stay numbers', () => {
    expect(toTsv({ columns: ['a'], rows: [[-1.5], [null], [2]] })).toBe('a\n-1.5\n\n2');
  });
});
