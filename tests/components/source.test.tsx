import { act, fireEvent, screen } from '@testing-library/react';
import userEvent from '@testing-library/user-event';
import { describe, expect, it } from 'vitest';
import { SourcePicker } from '../../components/top-bar/SourcePicker';
import { LONGEST_TEXT_CHARACTERS } from '../../src/page/limits';
import type { StudyEvents } from '../../src/study/client';
import { renderWith, testPage } from './render-page';

async function openForm(tab: string, hear?: (events: StudyEvents) => void) {
  const page = await testPage({ ...(hear && { hear }) });
  renderWith(page, <SourcePicker />);
  await userEvent.click(screen.getByRole('button', { name: /^Source: Four needles/ }));
  await userEvent.click(screen.getByRole('tab', { name: tab }));
  return page;
}

describe('the source', () => {
  it('is a task with its length, depth and seed', async () => {
    const page = await openForm('Task');
    await userEvent.selectOptions(screen.getByRole('combobox', { name: 'Task' }), 'Single needle');
    for (const [label, text] of [
      ['Length, tokens', '2048'],
      ['Needle depth, %', '50'],
      ['Seed', '12'],
    ] as const) {
      await userEvent.clear(screen.getByLabelText(label));
      await userEvent.type(screen.getByLabelText(label), text);
    }
    await userEvent.click(screen.getByRole('button', { name: 'Use this task' }));
    expect(page.state().source).toEqual({
      kind: 'task',
      task: 'single-needle',
      tokens: 2048,
      depth: 0.5,
      seed: 12,
    });
    expect(
      screen.getByRole('button', {
        name: /^Source: Single needle, ≤ 2,048 tokens · depth at 50\s% · seed 12/,
      }),
    ).toBeVisible();
  });

  it('begins with the start token as the tokenizer has it, always or never', async () => {
    const page = await openForm('Task');
    const field = screen.getByRole('combobox', { name: 'Start token' });
    expect(field).toHaveDisplayValue('as the tokenizer has it');
    await userEvent.selectOptions(field, 'none');
    expect(page.state().startToken).toBe(false);
    expect((await page.share()).url).toContain('&start=0&');
    await userEvent.selectOptions(field, 'before every text');
    expect(page.state().startToken).toBe(true);
    await userEvent.selectOptions(field, 'as the tokenizer has it');
    expect(page.state().startToken).toBeNull();
    expect((await page.share()).url).not.toContain('start=');
  });

  it('refuses a length with a sentence and keeps what was typed', async () => {
    const page = await openForm('Task');
    const field = screen.getByLabelText('Length, tokens');
    await userEvent.clear(field);
    await userEvent.type(field, '99999');
    expect(screen.getByRole('alert')).toHaveTextContent(
      'The length must be a whole number from 256 to 32,768 tokens.',
    );
    expect(screen.getByRole('button', { name: 'Use this task' })).toBeDisabled();
    expect(field).toHaveValue('99999');
    expect(page.state().source).toMatchObject({ tokens: 1024 });
  });

  it('can be an own text', async () => {
    const page = await openForm('Own text');
    await userEvent.type(screen.getByRole('textbox', { name: 'Text' }), 'A lamp. What is lit?');
    await userEvent.click(screen.getByRole('button', { name: 'Use this text' }));
    expect(page.state().source).toEqual({ kind: 'text', text: 'A lamp. What is lit?' });
  });

  it('can ask something of an own text, whose answer is known', async () => {
    const page = await openForm('Own text');
    await userEvent.type(screen.getByRole('textbox', { name: 'Text' }), 'The lamp is lit.');
    await userEvent.type(screen.getByRole('textbox', { name: 'Question' }), ' What is lit? ');
    await userEvent.type(screen.getByRole('textbox', { name: 'Expected answer' }), 'the lamp{Enter}');
    const source = {
      ...{ kind: 'text', text: 'The lamp is lit.', question: 'What is lit?' },
      expected: ['the lamp'],
    };
    expect(page.state()).toMatchObject({ source, evictAfter: 'context', chatTemplate: false });
    expect((await page.share()).url).toContain('&question=What%20is%20lit%3F&expect=the%20lamp');
    expect(screen.getByRole('button', { name: /^Source: Own question/ })).toBeVisible();
  });

  it('is a message where the model has a chat template, which writes the start token', async () => {
    let say: StudyEvents | null = null;
    const page = await openForm('Task', (events) => {
      say = events;
    });
    await page.idle();
    expect(screen.queryByRole('combobox', { name: 'Chat template' })).toBeNull();
    const { model } = page.store.getState();
    act(() => say!.model({ ...model!, hasChatTemplate: true }));
    const field = screen.getByRole('combobox', { name: 'Chat template' });
    expect(field).toHaveDisplayValue('none: read as it is');
    await userEvent.selectOptions(field, 'a message to the model');
    expect(page.state().chatTemplate).toBe(true);
    expect((await page.share()).url).toContain('&chat=1&');
    expect(screen.queryByRole('combobox', { name: 'Start token' })).toBeNull();
    await userEvent.selectOptions(field, 'none: read as it is');
    expect(page.state().chatTemplate).toBe(false);
    expect((await page.share()).url).not.toContain('chat=');
  });

  it('refuses an empty text', async () => {
    const page = await openForm('Own text');
    await userEvent.type(screen.getByRole('textbox', { name: 'Text' }), '   ');
    await userEvent.click(screen.getByRole('button', { name: 'Use this text' }));
    expect(screen.getByRole('alert')).toHaveTextContent('The text is empty; write or paste some words.');
    expect(page.state().source.kind).toBe('task');
  });

  it('refuses a text that is too long, and keeps it', async () => {
    const page = await openForm('Own text');
    const field = screen.getByRole('textbox', { name: 'Text' });
    fireEvent.change(field, { target: { value: 'a'.repeat(LONGEST_TEXT_CHARACTERS + 1) } });
    expect(screen.getByRole('alert')).toHaveTextContent(
      'The text has 200,001 characters and 200,000 is the most; take a part of it.',
    );
    await userEvent.click(screen.getByRole('button', { name: 'Use this text' }));
    expect(page.state().source.kind).toBe('task');
    expect((field as HTMLTextAreaElement).value).toHaveLength(LONGEST_TEXT_CHARACTERS + 1);
  });
});
