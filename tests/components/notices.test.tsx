import { act, screen } from '@testing-library/react';
import userEvent from '@testing-library/user-event';
import { describe, expect, it } from 'vitest';
import { Notices } from '../../components/app/Notices';
import { RunState } from '../../components/top-bar/RunState';
import { renderWith, testPage } from './render-page';

describe('notices', () => {
  it('say what was wrong with a link, one line for all until opened, each until dismissed', async () => {
    const page = await testPage({ hash: '#layer=x&seed=y&colour=red&shape=round' });
    renderWith(page, <Notices />);
    expect(
      screen.getByText(
        '"layer" in the link must be a whole number from 0 to 1023, not "x"; it was left out.',
      ),
    ).toBeVisible();
    expect(screen.getAllByRole('button', { name: 'Dismiss this notice' })).toHaveLength(1);
    expect(screen.queryByText(/^"seed" in the link/)).toBeNull();
    await userEvent.click(screen.getByRole('button', { name: 'and 2 more' }));
    expect(screen.getByText(/^"seed" in the link/)).toBeVisible();
    expect(screen.getByText(/"colour", "shape"; they were left out/)).toBeVisible();
    expect(screen.getAllByRole('button', { name: 'Dismiss this notice' })).toHaveLength(3);
    await userEvent.click(screen.getAllByRole('button', { name: 'Dismiss this notice' })[0]!);
    expect(screen.queryByText(/^"layer" in the link/)).toBeNull();
    expect(screen.getAllByRole('button', { name: 'Dismiss this notice' })).toHaveLength(2);
  });

  it('say first, and each in full view, what is shown otherwise than the link meant', async () => {
    const page = await testPage({
      hash: '#v=0.1.0&layer=99&colour=red&head=x&method=random&p.keepFraction=0.25&pin=none&theme=dark',
    });
    const { container } = renderWith(page, <Notices />);
    await act(() => page.idle());
    const sentences = () =>
      [...container.querySelectorAll('[aria-live] > div > span')].map((each) => each.textContent);
    expect(sentences()).toEqual([
      'The model has 8 layers of 6 heads: layer 7, head 4 is shown.',
      expect.stringMatching(/^The kept fraction of Random was one of the whole text .* it was translated/),
      expect.stringMatching(/^"head" in the link must be/),
    ]);
    await userEvent.click(screen.getByRole('button', { name: 'and 2 more' }));
    expect(sentences().slice(3)).toEqual([
      expect.stringMatching(/"colour"/),
      expect.stringMatching(/^The link was made with version 0\.1\.0/),
    ]);
  });

  it.each([
    ['v=1.2.3&seed=1', /^The link was cut/],
    ['method=nokv', /^The link is about the method "nokv"/],
    ['text=zAAAA', /damaged/],
    ['task=nothing', /^"task" in the link/],
  ])('do not hide what %s changed behind other sentences', async (hash, sentence) => {
    const page = await testPage({ hash: `#layer=x&colour=red&${hash}` });
    const { container } = renderWith(page, <Notices />);
    expect(container.querySelector('[aria-live] > div > span')).toHaveTextContent(sentence);
    expect(screen.getByText(/^"layer" in the link/)).toBeVisible();
    expect(screen.getByRole('button', { name: 'and 1 more' })).toBeVisible();
  });

  it('show link text as text', async () => {
    const page = await testPage({ hash: `#mode=${encodeURIComponent('<img src=x onerror=alert(1)>')}` });
    const { container } = renderWith(page, <Notices />);
    expect(screen.getByText(/not "<img src=x onerror=alert\(1\)>"/)).toBeVisible();
    expect(container.querySelector('img')).toBeNull();
  });

  it('ask before anything is fetched for the model of a link', async () => {
    const address = 'https://example.org/<b>m</b>';
    const page = await testPage({ hash: `#model=${encodeURIComponent(address)}` });
    const { container } = renderWith(page, <Notices />);
    expect(screen.getByRole('alert')).toHaveTextContent(
      `This link asks for the model at ${address}; nothing is downloaded until you choose.`,
    );
    expect(container.querySelector('b')).toBeNull();
    expect(page.store.getState().running).toBe(false);
    await userEvent.click(screen.getByRole('button', { name: 'Load this model' }));
    expect(screen.queryByRole('alert')).toBeNull();
    expect((await act(() => page.idle())).origin).toBe('live');
  });

  it('show a failure and run again', async () => {
    const page = await testPage({ failure: 'The weights end too early; download the model again.' });
    await page.idle();
    renderWith(page, <Notices />);
    expect(screen.getByRole('alert')).toHaveTextContent(
      'The weights end too early; download the model again.',
    );
    await userEvent.click(screen.getByRole('button', { name: 'Run again' }));
    await act(() => page.idle());
    expect(screen.getByRole('alert')).toBeVisible();
  });
});

describe('the state of a run', () => {
  it('says what runs and how far, and can be cancelled', async () => {
    const page = await testPage({ delayMilliseconds: 30 });
    renderWith(
      page,
      <>
        <RunState />
        <Notices />
      </>,
    );
    expect(await screen.findByText(/reading 512 of 1024 tokens, about 12 s in all/)).toBeVisible();
    expect(screen.getByRole('progressbar')).toHaveAttribute('value', '40');
    await userEvent.click(screen.getByRole('button', { name: 'Cancel' }));
    expect(screen.queryByRole('progressbar')).toBeNull();
    expect(screen.getByRole('alert')).toHaveTextContent(/^Cancelled: nothing had been measured\./);
  });

  it('says that numbers are live', async () => {
    const page = await testPage();
    renderWith(page, <RunState />);
    await act(() => page.idle());
    expect(screen.getByText('live')).toBeVisible();
  });
});
