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
  for (const name of ['Answer', 'Map', 'Method', 'Text', 'Kept', 'Sweep']) {
    await userEvent.click(jumps.getByRole('button', { name }));
    expect(document.activeElement).toHaveAttribute('data-panel');
  }
  await userEvent.click(jumps.getByRole('button', { name: 'Method' }));
  expect(document.activeElement).toBe(screen.getByRole('region', { name: 'Method' }));
});
