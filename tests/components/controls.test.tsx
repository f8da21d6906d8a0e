import { act, screen, waitFor, within } from '@testing-library/react';
import userEvent from '@testing-library/user-event';
import { describe, expect, it, vi } from 'vitest';
import { MethodPanel } from '../../components/method/MethodPanel';
import { type TensorToWrite, writeSafetensors } from '../../src/model/files/safetensors-writer';
import { renderWith, testPage } from './render-page';

describe('the controls of a method', () => {
  it('are made from its schema', async () => {
    const page = await testPage();
    renderWith(page, <MethodPanel />);
    expect(screen.getByRole('textbox', { name: 'Selected tokens' })).toHaveValue('128');
    expect(screen.getByRole('slider', { name: 'Selected tokens, slider' })).toBeVisible();
    const projection = screen.getByRole('radiogroup', { name: 'Projection' });
    expect(within(projection).getByRole('radio', { name: 'closed form' })).toBeChecked();
    act(() => page.actions.setMethod('streaming-llm'));
    expect(screen.queryByRole('textbox', { name: 'Selected tokens' })).toBeNull();
    expect(screen.getByRole('textbox', { name: 'Sink tokens' })).toHaveValue('4');
  });

  it('stand below how the method decides, with a picture of it running, once that is asked for', async () => {
    const page = await testPage({ hash: '#method=quest' });
    renderWith(page, <MethodPanel />);
    expect(screen.queryByText(/pages with the highest bounds/)).toBeNull();
    await userEvent.click(screen.getByText('How it decides, and what it keeps'));
    expect(await screen.findByText(/pages with the highest bounds/)).toBeVisible();
    const [dense, sparse] = screen.getAllByRole('img');
    expect(dense).toHaveAccessibleName(
      /^Layer 0, head 0: queries see 100\s% of the keys up to their own; the last one sees 42 of 42\.$/,
    );
    expect(sparse).toHaveAccessibleName(/the last one sees 1\d of 42, 1\d of them chosen\.$/);
    expect(
      screen.getByText(/^Quest itself, run by the bundled model on a text of 42 tokens/),
    ).toHaveTextContent('with page 4, token budget 16, dense layers 1.');
    act(() => page.actions.setMethod('lorc'));
    expect(await screen.findByText(/no choice among keys to draw/)).toBeVisible();
    expect(screen.queryByRole('img')).toBeNull();
  });

  it('bring the error of a file of another text into view', async () => {
    const page = await testPage();
    renderWith(page, <MethodPanel />);
    const kept: TensorToWrite = { dtype: 'I32', shape: [1, 1], data: Int32Array.of(2000) };
    const file = new File([writeSafetensors({ 'kept.0': kept })], 'longer.safetensors');
    const intoView = vi.spyOn(Element.prototype, 'scrollIntoView');
    await userEvent.upload(screen.getByLabelText('Keys that another program kept'), file);
    const error = await screen.findByRole('alert');
    expect(error).toHaveTextContent(
      'longer.safetensors lists token 2000 in layer 0, which is out of range: the text has 1024 tokens, so it belongs to another text.',
    );
    expect(intoView.mock.contexts).toContain(error);
    intoView.mockRestore();
  });

  it('leave out tables, which presets keep as they came', async () => {
    const page = await testPage({ hash: '#method=duo-attention' });
    renderWith(page, <MethodPanel />);
    expect(screen.getByRole('textbox', { name: 'Recent tokens' })).toBeVisible();
    expect(screen.queryByText('Head scores')).toBeNull();
    const headScores = Array.from({ length: 8 }, () => [0.1, 0.7]);
    act(() => page.actions.setParameter('headScores', headScores, true));
    await userEvent.click(screen.getByRole('button', { name: /^kvpress’s defaults/ }));
    expect(page.state().parameters).toMatchObject({ headScores, sinkTokens: 128 });
    await userEvent.click(screen.getByRole('button', { name: /^Scaled to this text/ }));
    expect(page.state().parameters).toMatchObject({ headScores, sinkTokens: 32 });
  });

  it('start from presets, which evict where their source does: link and state say so', async () => {
    let address = '';
    const page = await testPage({
      hash: '#method=snapkv&task=single-needle&length=256',
      push: (hash) => {
        address = hash;
      },
    });
    renderWith(page, <MethodPanel />);
    const preset = (name: RegExp) => userEvent.click(screen.getByRole('button', { name }));
    expect(page.state()).toMatchObject({ evictAfter: 'context', parameters: { variant: 'kvpress' } });
    await preset(/^As in the authors’ code.*after the question$/);
    expect(page.state()).toMatchObject({
      evictAfter: 'question',
      parameters: { variant: 'official', windowTokens: 32 },
    });
    await waitFor(() => expect(address).toMatch(/evictAfter=question/));
    await preset(/^Scaled to this text.*after the context$/);
    expect(page.state()).toMatchObject({ evictAfter: 'context', parameters: { variant: 'kvpress' } });
    await preset(/^As in the authors’ code/);
    await preset(/^kvpress’s defaults.*after the context$/);
    expect(page.state()).toMatchObject({ evictAfter: 'context', parameters: { windowTokens: 64 } });
    act(() => page.actions.setSource({ kind: 'text', text: 'Nobody asks anything here.' }));
    await preset(/^As in the authors’ code/);
    expect(page.state()).toMatchObject({ evictAfter: null, parameters: { variant: 'official' } });
  });

  it('say which preset is chosen as it is, and keep the first query of the link', async () => {
    const page = await testPage({ hash: '#method=snapkv&task=single-needle&length=256&queries=200' });
    renderWith(page, <MethodPanel />);
    const preset = (name: RegExp) => screen.getByRole('button', { name });
    const pressed = () =>
      screen.queryAllByRole('button', { pressed: true }).map(({ textContent }) => textContent);
    expect(pressed()).toEqual(['Scaled to this text']);
    await userEvent.click(preset(/^As in the authors’ code$/));
    expect(page.store.getState().session.queriesStart).toBe(200);
    expect(pressed()).toEqual(['As in the authors’ code']);
    act(() => page.actions.setQueriesStart(null));
    // The paper's code evicts after the question, which is not what is chosen now.
    expect(pressed()).toEqual(['As in the authors’ code its source evicts after the question']);
    await userEvent.click(preset(/^As in the authors’ code/));
    expect(pressed()).toEqual(['As in the authors’ code after the question']);
    act(() => page.actions.setParameter('windowTokens', 31, true));
    expect(pressed()).toEqual([]);
  });

  it('keep presets pressed while what these do not state is moved, and presets leave that alone', async () => {
    const page = await testPage({ hash: '#method=adakv&p.base=lagkv&p.keepFraction=0.4' });
    renderWith(page, <MethodPanel />);
    const kvpress = () => screen.getByRole('button', { name: /^kvpress’s defaults/ });
    const wanted = { base: 'lagkv', keepFraction: 0.4, windowTokens: 64, lagTokens: 128 };
    await userEvent.click(kvpress());
    expect(page.state().parameters).toMatchObject(wanted);
    act(() => page.actions.setParameter('keepFraction', 0.7, true));
    expect(kvpress()).toHaveAttribute('aria-pressed', 'true');
    await userEvent.click(kvpress());
    expect(page.state().parameters).toMatchObject({ ...wanted, keepFraction: 0.7 });
    await userEvent.click(screen.getByRole('button', { name: /^Scaled/ }));
    expect(page.state().parameters).toMatchObject({ base: 'snapkv', keepFraction: 0.25 });
    act(() => page.actions.setMethod('kvzip'));
    expect(kvpress()).toHaveTextContent('same as Scaled to this text here');
  });

  it('are disabled where another parameter leaves them without effect, and say which', async () => {
    const page = await testPage({ hash: '#method=snapkv' });
    renderWith(page, <MethodPanel />);
    const field = (name: string) => screen.getByRole('textbox', { name });
    const idleNotes = () => screen.queryAllByText(/^without effect/).map(({ textContent }) => textContent);
    expect(field('Kept fraction')).toBeEnabled();
    expect(field('Kept tokens')).toBeDisabled();
    expect(screen.getByRole('slider', { name: 'Kept tokens, slider' })).toHaveAttribute('data-disabled');
    expect(screen.getByRole('radio', { name: 'maximum' })).toBeDisabled();
    expect(idleNotes()).toEqual(Array(2).fill('without effect: Variant is kvpress'));
    await userEvent.click(screen.getByRole('radio', { name: 'official' }));
    expect(field('Kept tokens')).toBeEnabled();
    expect(field('Kept fraction')).toBeDisabled();
    expect(idleNotes()).toEqual(['without effect: Variant is official']);
    // One that stands in the way can be put right.
    act(() => page.actions.setParameter('keepFraction', 2, true));
    expect(field('Kept fraction')).toBeEnabled();
  });

  it('show every digit of a number, for all layers or for each', async () => {
    const page = await testPage({ hash: '#method=cascading-kv' });
    renderWith(page, <MethodPanel />);
    expect(screen.getByRole('textbox', { name: 'Fading' })).toHaveValue('0.9999999');
    expect(screen.getByRole('textbox', { name: 'Fading' })).toHaveStyle({ minWidth: 'calc(9ch + 18px)' });
    await userEvent.click(screen.getByRole('button', { name: 'Fading: one value per layer' }));
    expect(screen.getByRole('textbox', { name: 'Fading, layer 7' })).toHaveValue('0.9999999');
    act(() => page.actions.setMethod('knorm'));
    act(() => page.actions.setParameter('keepFraction', 0.2861328125, true));
    expect(screen.getByRole('textbox', { name: 'Kept fraction' })).toHaveValue('28.61328125');
  });

  it('leave out what comes from a capture', async () => {
    renderWith(await testPage({ hash: '#method=squeezed-attention' }), <MethodPanel />);
    expect(screen.getByRole('textbox', { name: 'Observation window' })).toBeVisible();
    expect(screen.queryByText('Clusters come from')).toBeNull();
  });

  it('take a typed number at once', async () => {
    const page = await testPage();
    renderWith(page, <MethodPanel />);
    const field = screen.getByRole('textbox', { name: 'Selected tokens' });
    await userEvent.clear(field);
    await userEvent.type(field, '48{Enter}');
    expect(page.state().parameters.selectedTokens).toBe(48);
    expect(field).toHaveValue('48');
  });

  it('say what is wrong with a typed number, keep it in the field, and leave the study alone', async () => {
    const page = await testPage();
    renderWith(page, <MethodPanel />);
    const field = screen.getByRole('textbox', { name: 'Selected tokens' });
    await userEvent.clear(field);
    await userEvent.type(field, 'many');
    await userEvent.tab();
    expect(field).toHaveValue('many');
    expect(field).toBeInvalid();
    expect(screen.getByText(/selectedTokens must be a whole number from 0 to \d+, not "many"/)).toBeVisible();
    expect(page.state().parameters.selectedTokens).toBe(128);
    await userEvent.clear(field);
    await userEvent.type(field, '64{Enter}');
    expect(field).toBeValid();
    expect(page.state().parameters.selectedTokens).toBe(64);
  });

  it('move by keyboard', async () => {
    const page = await testPage();
    renderWith(page, <MethodPanel />);
    screen.getByRole('slider', { name: 'Selected tokens, slider' }).focus();
    await userEvent.keyboard('{ArrowLeft}');
    expect(page.state().parameters.selectedTokens).toBe(125);
    await userEvent.keyboard('{Home}');
    expect(page.state().parameters.selectedTokens).toBe(0);
    await userEvent.keyboard('{End}');
    expect(page.state().parameters.selectedTokens).toBe(1024);
  });

  it('choose one of several words', async () => {
    const page = await testPage();
    renderWith(page, <MethodPanel />);
    await userEvent.click(screen.getByRole('radio', { name: 'exact' }));
    expect(page.state().parameters.projection).toBe('exact');
  });

  it('take one number per layer', async () => {
    const page = await testPage();
    renderWith(page, <MethodPanel />);
    await userEvent.click(screen.getByRole('button', { name: 'Selected tokens: one value per layer' }));
    expect(page.state().parameters.selectedTokens).toEqual(Array(8).fill(128));
    const third = screen.getByRole('textbox', { name: 'Selected tokens, layer 2' });
    await userEvent.clear(third);
    await userEvent.type(third, '32{Enter}');
    expect(page.state().parameters.selectedTokens).toEqual([128, 128, 32, 128, 128, 128, 128, 128]);
  });

  it('offer one number per layer only where layers can differ', async () => {
    const page = await testPage();
    renderWith(page, <MethodPanel />);
    expect(screen.getByRole('textbox', { name: 'Block length' })).toBeVisible();
    expect(screen.queryByRole('button', { name: 'Block length: one value per layer' })).toBeNull();
  });

  it('say when two values do not go together', async () => {
    const page = await testPage();
    renderWith(page, <MethodPanel />);
    act(() => page.actions.setParameter('localTokens', 1000, true));
    await act(() => page.idle());
    expect(screen.getByRole('alert')).toHaveTextContent(/1024|1,024/);
    expect(screen.getByRole('textbox', { name: 'Local tokens' })).toHaveValue('1000');
  });

  it('pin the method and unpin others', async () => {
    const page = await testPage();
    renderWith(page, <MethodPanel />);
    await userEvent.click(screen.getByRole('button', { name: 'Unpin Oracle' }));
    await userEvent.click(screen.getByRole('button', { name: 'Pin ESA as it is' }));
    expect(page.state().pinned.map((method) => method.id)).toEqual([
      'streaming-llm',
      'lagkv',
      'random',
      'esa',
    ]);
    expect(screen.queryByRole('button', { name: 'Pin ESA as it is' })).toBeNull();
  });

  it('count what the query sees by rule', async () => {
    const page = await testPage();
    await page.idle();
    renderWith(page, <MethodPanel />);
    const counts = await screen.findByText('own block');
    expect(counts.closest('div')).toHaveTextContent('own block64');
  });
});
