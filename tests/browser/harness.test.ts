import { join } from 'node:path';
import type { Page } from 'playwright-core';
import { expect, it } from 'vitest';
import { root } from '../../scripts/setup.mjs';
import { describeInChromium, idle } from './harness';

const options = { folder: join(root, 'tests', 'browser', 'harness-page'), prefix: '/some/where/' };

function adapterInWorker(page: Page): Promise<unknown> {
  return page.evaluate(
    () =>
      new Promise((resolve) => {
        const worker = new Worker('worker.js');
        worker.onmessage = ({ data }) => resolve(data);
        worker.postMessage('adapter');
      }),
  );
}

describeInChromium(
  'the harness',
  'cpu',
  (chromium) => {
    it('opens a page below a path and passes the link on', async () => {
      const page = await chromium.openPage('v=1&text=a%20b');
      expect(page.url()).toContain('/some/where/#');
      expect(await idle(page)).toEqual({ hash: '#v=1&text=a%20b' });
    });

    it('gives a worker no WebGPU adapter that is not a fallback', async () => {
      const { isFallback } = (await adapterInWorker(await chromium.openPage())) as {
        isFallback: boolean | null;
      };
      expect(isFallback).not.toBe(false);
    });

    it.each([
      ['an error on the console', () => console.error('said by the page'), 'console: said by the page'],
      [
        'a rejection that nobody handles',
        () => void Promise.reject(new Error('rejected')),
        'uncaught: rejected',
      ],
      ['an exception in a worker', () => new Worker('worker.js').postMessage('throw'), 'uncaught: thrown in'],
      [
        'a request to elsewhere',
        () => void fetch('http://127.0.0.1:9/x').catch(() => {}),
        'foreign request: ',
      ],
      ['a missing file', () => void fetch('missing.json'), '404: '],
    ])('notices %s', async (_, provoke, expected) => {
      const page = await chromium.openPage();
      await page.evaluate(provoke);
      await expect.poll(() => chromium.problems.join('\n')).toContain(expected);
      await page.close();
      chromium.problems.splice(0);
    });
  },
  options,
);

describeInChromium(
  'the harness',
  'webgpu',
  (chromium) => {
    it('gives a worker the SwiftShader adapter', async () => {
      const adapter = await adapterInWorker(await chromium.openPage());
      expect(adapter).toEqual({ architecture: 'swiftshader', isFallback: true });
    });

    it('notices a WebGPU error that no scope took', async () => {
      const page = await chromium.openPage();
      await page.evaluate(async () => {
        const device = await (await navigator.gpu.requestAdapter())!.requestDevice();
        device.createBuffer({ size: 16, usage: 0xffff });
        await device.queue.onSubmittedWorkDone();
      });
      await expect.poll(() => chromium.problems.join('\n')).toContain('CreateBuffer');
      await page.close();
      chromium.problems.splice(0);
    });
  },
  options,
);
