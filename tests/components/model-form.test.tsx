import { act, fireEvent, screen, waitFor, within } from '@testing-library/react';
import userEvent from '@testing-library/user-event';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { DropAnywhere } from '../../components/app/DropAnywhere';
import { Notices } from '../../components/app/Notices';
import { ModelButton } from '../../components/models/ModelButton';
import { writeSafetensors } from '../../src/model/files/safetensors-writer';
import { hubInThread } from '../arrival/hub/hub-in-thread';
import { COMMIT, type HubServer, startHub } from '../arrival/hub/server';
import { renderWith, testPage } from './render-page';

let server: HubServer;
beforeAll(async () => {
  const weights = new Uint8Array(20_000);
  server = await startHub({
    ...{
      'config.json': '{"hidden_size":3}',
      'model.safetensors': weights,
      'tiny-q4.gguf': weights.slice(5000),
    },
  });
});
afterAll(() => server.close());

async function open(tab: string) {
  const hub = hubInThread();
  hub.setHub({ address: server.address, hosts: [server.otherHost] });
  const page = await testPage({ openHub: () => hub });
  await page.idle();
  renderWith(
    page,
    <>
      <ModelButton />
      <Notices />
      <DropAnywhere />
    </>,
  );
  await userEvent.click(screen.getByRole('button', { name: 'Model: bundled model. Change' }));
  await userEvent.click(await screen.findByRole('tab', { name: tab }));
  return { page, hub };
}

describe('a model of a hub', () => {
  it('is looked up with its size and need, opened, listed and deleted', async () => {
    const { page, hub } = await open('Hub');
    await userEvent.type(
      await screen.findByRole('textbox', { name: 'Model' }),
      'https://huggingface.co/owner/name{Enter}',
    );
    const found = await screen.findByRole('region', { name: 'Found' });
    await waitFor(() =>
      expect(found).toHaveTextContent(
        /^owner\/name at 0123456\s?20\skB in 2 files\. 1\.0\d\sMB of memory at 1,024 tokens, computed\./,
      ),
    );
    await userEvent.click(within(found).getByRole('button', { name: /^Download 20\skB and open$/ }));
    const model = `hub:owner/name@${COMMIT}`;
    expect((await act(() => page.idle())).error).toBeNull();
    expect(page.store.getState().session.model).toBe(model);
    // The engine of this page fetches nothing: what it would ask for is asked for here.
    for (const path of ['config.json', 'model.safetensors'])
      await act(() => hub.ask('get', model, path, 1e9));
    const kept = await screen.findByRole('region', { name: 'Kept in this browser' });
    await waitFor(() => expect(kept).toHaveTextContent(/owner\/name at 0123456\s*20\skB · used /));
    expect(within(kept).getByRole('button', { name: /^Open owner/ })).toBeDisabled();
    await userEvent.click(within(kept).getByRole('button', { name: /^Delete owner/ }));
    await waitFor(() => expect(screen.queryByRole('region', { name: 'Kept in this browser' })).toBeNull());
  });

  it.each([
    [
      'nonsense',
      'The model must be owner/name, with @revision and /file.gguf where they are needed, as in HuggingFaceTB/SmolLM2-135M.',
    ],
    ['owner/name@v9', '"owner/name" has no revision "v9".'],
    [
      'owner/nothing',
      /has no public model "owner\/nothing": check its name, or give a token if it is private or gated\.$/,
    ],
    [
      'owner/gated',
      /^"owner\/gated" is gated: agree to its terms on .*, then give a token of your account\.$/,
    ],
    ['owner/name/other.gguf', '"owner/name" has no file "other.gguf".'],
  ])('that cannot be had is said: %s', async (text, sentence) => {
    await open('Hub');
    await userEvent.type(await screen.findByRole('textbox', { name: 'Model' }), `${text}{Enter}`);
    expect(await screen.findByRole('alert')).toHaveTextContent(sentence);
  });

  it('can be one GGUF file of several', async () => {
    const { page } = await open('Hub');
    await userEvent.type(
      await screen.findByRole('textbox', { name: 'Model' }),
      'owner/name/tiny-q4.gguf{Enter}',
    );
    const found = await screen.findByRole('region', { name: 'Found' });
    expect(within(found).getByRole('combobox', { name: 'File' })).toHaveDisplayValue(
      /^tiny-q4.gguf, 15\skB$/,
    );
    await userEvent.click(within(found).getByRole('button', { name: /^Download 15\skB and open$/ }));
    await act(() => page.idle());
    expect(page.store.getState().session.model).toBe(`hub:owner/name/tiny-q4.gguf@${COMMIT}`);
  });

  it('comes from another hub where one is set; a token is kept out of sight', async () => {
    const { hub } = await open('Hub');
    await userEvent.click(await screen.findByText(/^Hub and token/));
    await userEvent.type(screen.getByLabelText('Token'), 'token-of-a-test');
    await userEvent.click(screen.getByRole('button', { name: 'Use this token' }));
    expect(hub.store.getState().hasToken).toBe(true);
    expect(screen.getByLabelText('Token')).toHaveValue('');
    const address = screen.getByRole('textbox', { name: 'Address' });
    await userEvent.clear(address);
    await userEvent.type(address, 'ftp://mirror');
    await userEvent.click(screen.getByRole('button', { name: 'Use this hub' }));
    expect(screen.getByRole('alert')).toHaveTextContent(
      'The hub\'s address must begin with https:// or http:// and hold no name or password, unlike "ftp://mirror".',
    );
    await userEvent.clear(address);
    await userEvent.type(address, 'https://mirror.example.org/hub/');
    await userEvent.click(screen.getByRole('button', { name: 'Use this hub' }));
    expect(hub.store.getState()).toMatchObject({
      settings: { address: 'https://mirror.example.org/hub' },
      hasToken: false,
    });
    expect(JSON.stringify({ ...localStorage })).not.toContain('token-of-a-test');
    await userEvent.click(screen.getByRole('button', { name: 'Back to huggingface.co' }));
    expect(hub.store.getState().settings.address).toBe('https://huggingface.co');
  });

  it('is suggested with what it needs, computed', async () => {
    await open('Hub');
    const row = await screen.findByRole('row', { name: /HuggingFaceTB\/SmolLM2-135M/ });
    await waitFor(() => expect(row).toHaveTextContent(/1\.15\sMB\s?3\.33\sMB$/));
    await userEvent.click(within(row).getByRole('button', { name: 'HuggingFaceTB/SmolLM2-135M' }));
    expect(screen.getByRole('textbox', { name: 'Model' })).toHaveValue('HuggingFaceTB/SmolLM2-135M');
    expect(await screen.findByRole('alert')).toHaveTextContent(
      /has no public model "HuggingFaceTB\/SmolLM2-135M"/,
    );
  });
});

describe('files', () => {
  const config = new File(['{}'], 'config.json');
  const weights = new File(['w'], 'model.safetensors');

  it('are a model, chosen in a field', async () => {
    const { page } = await open('Files');
    await userEvent.upload(await screen.findByLabelText('Files', { selector: 'input' }), [config, weights]);
    await waitFor(() => expect(page.store.getState().session.model).toBe('file:model'));
    expect(screen.queryByRole('dialog')).toBeNull();
    expect(screen.getByRole('button', { name: 'Model: model. Change' })).toBeVisible();
  });

  it('that are none are refused in the form', async () => {
    const { page } = await open('Files');
    await userEvent.upload(await screen.findByLabelText('Files', { selector: 'input' }), [config]);
    expect(await screen.findByRole('alert')).toHaveTextContent(/has a config.json and no weights beside it/);
    expect(page.store.getState().session.model).toBe('bundled');
  });

  it('are taken wherever they are dropped, by what is in them', async () => {
    const { page } = await open('Files');
    const drop = (...files: File[]) =>
      fireEvent.drop(document.body, {
        dataTransfer: { types: ['Files'], items: files.map((file) => ({ getAsFile: () => file })) },
      });
    drop(new File(['PNG'], 'a.png'));
    await waitFor(() =>
      expect(page.store.getState().notices.at(-1)?.sentence).toMatch(
        /^"a.png" is nothing that can be opened here/,
      ),
    );
    const tensor = { dtype: 'I32' as const, shape: [2, 1], data: Int32Array.of(0, 1) };
    const kept = Object.fromEntries(Array.from({ length: 8 }, (_, layer) => [`kept.${layer}`, tensor]));
    drop(new File([writeSafetensors(kept, { evicted_after: '900' })], 'mine.bin'));
    await waitFor(() => expect(page.state().method).toMatch(/^imported/));
    drop(config, weights);
    await waitFor(() => expect(page.store.getState().session.model).toBe('file:model'));
    expect(screen.queryByRole('dialog')).toBeNull();
  });
});

describe('the bundled model', () => {
  it('is what the form goes back to', async () => {
    const { page } = await open('Files');
    await userEvent.upload(await screen.findByLabelText('Files', { selector: 'input' }), [
      new File(['{}'], 'config.json'),
      new File(['w'], 'model.safetensors'),
    ]);
    await waitFor(() => expect(page.store.getState().session.model).toBe('file:model'));
    await userEvent.click(screen.getByRole('button', { name: 'Model: model. Change' }));
    await userEvent.click(await screen.findByRole('tab', { name: 'Bundled' }));
    await userEvent.click(screen.getByRole('button', { name: 'Use the bundled model' }));
    expect(page.store.getState().session.model).toBe('bundled');
    expect(screen.queryByRole('dialog')).toBeNull();
  });
});
