import { expect, it } from 'vitest';
import { describeInChromium } from './harness';

describeInChromium(
  'the built folder',
  'cpu',
  (chromium) => {
    it('opens below any path, with every file found and no request to elsewhere', async () => {
      const page = await chromium.openPage();
      expect(await page.title()).toBe('Keyhole');
      await page.getByRole('heading', { level: 1 }).waitFor();
    });
  },
  { prefix: '/some/where/deep/' },
);
