import { act, screen, within } from '@testing-library/react';
import userEvent from '@testing-library/user-event';
import { expect, it } from 'vitest';
import { App } from '../../components/app/App';
import { renderWith, testPage } from './render-page';

it('leads to every panel of a narrow page, and the keyboard goes on from there', async () => {
  const page = await testPage();
  renderWith(page, <App page={page} />);
  await act(() => page.idle());
  const jumps = within(screen.getByRole('navigation', { name: 'Panels' }));
  const panels = [
    ['Answer', 'Answer'],
    ['Map', 'Attention map'],
    ['Method', 'Method'],
    ['Text', 'Text'],
    ['Kept', 'Kept and lost'],
    ['Sweep', 'Recall against kept keys'],
  ] as const;
  for (const [name, title] of panels) {
    await userEvent.click(jumps.getByRole('button', { name }));
    expect(document.activeElement).toBe(screen.getByRole('region', { name: title }));
  }
});
