import { fireEvent, screen, waitFor } from '@testing-library/react';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { wheelFactor } from '../../components/map/gestures';
import { MapSurface } from '../../components/map/MapSurface';
import type { Page } from '../../src/page/page';
import { renderWith, testPage } from './render-page';

const wheel = (deltaY: number, { deltaMode = 0, ctrlKey = false } = {}) =>
  wheelFactor({ deltaY, deltaMode, ctrlKey }, 500);

describe('what a wheel event asks for', () => {
  test('a pinch: by what the fingers did, in however many events it comes', () => {
    expect(wheel(-100 * Math.log(2), { ctrlKey: true })).toBeCloseTo(0.5, 12);
    const parts = Array.from({ length: 10 }, () => wheel(-6.93, { ctrlKey: true }));
    expect(256 * parts.reduce((product, factor) => product * factor, 1)).toBeCloseTo(128, 1);
    expect(wheel(100 * Math.log(1.5), { ctrlKey: true })).toBeCloseTo(1.5, 12);
  });

  test('a notch of a wheel the same with Ctrl and without, in pixels, lines or pages', () => {
    expect(wheel(-100)).toBeCloseTo(Math.exp(-0.16), 12);
    expect(wheel(-120, { ctrlKey: true })).toBe(wheel(-120));
    expect(wheel(-3, { deltaMode: 1 })).toBeCloseTo(Math.exp(-3 * 16 * 0.0016), 12);
    expect(wheel(-3, { deltaMode: 1, ctrlKey: true })).toBe(wheel(-3, { deltaMode: 1 }));
    expect(wheel(-1, { deltaMode: 2 })).toBeCloseTo(Math.exp(-500 * 0.0016), 12);
  });
});

describe('on the map', () => {
  const side = 512;
  let page: Page;
  let surface: HTMLElement;
  let pushed: string[];

  beforeEach(async () => {
    const rectangle = { left: 0, top: 0, width: side, height: side, right: side, bottom: side, x: 0, y: 0 };
    vi.spyOn(HTMLElement.prototype, 'getBoundingClientRect').mockReturnValue(rectangle as DOMRect);
    pushed = [];
    page = await testPage({
      hash: 'task=single-needle&length=1024&zoom=512-768-256-512',
      push: (hash) => pushed.push(hash),
    });
    await page.idle();
    renderWith(page, <MapSurface />);
    surface = screen.getByRole('application');
  });
  afterEach(() => {
    page.dispose();
    vi.restoreAllMocks();
  });

  /** An event in the middle of the map; false where the map keeps the browser from doing anything with it. */
  const send = (name: string, values: object): boolean => {
    const event = new Event(name, { cancelable: true, bubbles: true });
    return fireEvent(surface, Object.assign(event, { clientX: 256, clientY: 256 }, values));
  };
  const settled = (): Promise<unknown> => new Promise((resolve) => setTimeout(resolve, 260));
  const size = (): number => {
    const { zoom } = page.store.getState().session.view;
    return zoom ? zoom.rowEnd - zoom.rowStart : Number.NaN;
  };

  test('two fingers twice as far apart show half of it: 256 tokens become 128', async () => {
    for (let i = 0; i < 7; i++) {
      send('wheel', { deltaY: -9.9, deltaMode: 0, ctrlKey: true });
    }
    await settled();
    expect(size()).toBeGreaterThanOrEqual(128);
    expect(size()).toBeLessThanOrEqual(130);
  });

  test('Safari’s gesture events do the same', async () => {
    const gesture = (name: string, scale: number): boolean => send(name, { scale });
    expect(gesture('gesturestart', 1), 'the browser would zoom the page').toBe(false);
    gesture('gesturechange', 1.3);
    gesture('gesturechange', 2);
    gesture('gestureend', 2);
    await settled();
    expect(size()).toBeGreaterThanOrEqual(128);
    expect(size()).toBeLessThanOrEqual(130);
  });

  test('two fingers on a screen zoom, too', async () => {
    const at = (pointerId: number, clientX: number) => ({ pointerId, clientX, clientY: 256, button: 0 });
    fireEvent.pointerDown(surface, at(1, 206));
    fireEvent.pointerDown(surface, at(2, 306));
    fireEvent.pointerMove(surface, at(1, 156));
    fireEvent.pointerMove(surface, at(2, 356));
    fireEvent.pointerUp(surface, at(1, 156));
    fireEvent.pointerUp(surface, at(2, 356));
    expect(size()).toBeGreaterThanOrEqual(128);
    expect(size()).toBeLessThanOrEqual(130);
  });

  test('says what stands under the cross-hair: tokens, weight, verdict', async () => {
    const said = (): string => surface.querySelector('[aria-live]')!.textContent;
    fireEvent.pointerMove(surface, { pointerId: 1, clientX: 100, clientY: 300 });
    await waitFor(() =>
      expect(said()).toMatch(/^query 662 .*, key 306 .*, weight \S+, (kept|dropped|missed)\b/),
    );
  });

  test('only the left button drags and chooses', () => {
    const press = (button: number) => {
      fireEvent.pointerDown(surface, { pointerId: 1, button, clientX: 10, clientY: 10 });
      fireEvent.pointerMove(surface, { pointerId: 1, button: -1, clientX: 60, clientY: 90 });
      fireEvent.pointerUp(surface, { pointerId: 1, button, clientX: 60, clientY: 90 });
      fireEvent.pointerDown(surface, { pointerId: 1, button, clientX: 100, clientY: 100 });
      fireEvent.pointerUp(surface, { pointerId: 1, button, clientX: 100, clientY: 100 });
    };
    const before = page.store.getState().session.view;
    press(2);
    press(1);
    expect(page.store.getState().session.view).toEqual(before);
    press(0);
    const { zoom, query } = page.store.getState().session.view;
    expect(zoom).not.toEqual(before.zoom);
    expect(query).not.toEqual(before.query);
  });

  test('the edge of a split follows pointer and arrows; a gesture is one entry of the history', async () => {
    page.actions.setView({ mode: 'split' }, false);
    const handle = await screen.findByRole('slider', { name: /^Edge between/ });
    handle.hasPointerCapture = () => true;
    const split = (): number => page.store.getState().session.view.split;
    for (const clientX of [300, 200, 64.1]) fireEvent.pointerMove(handle, { pointerId: 1, clientX });
    expect(split(), 'as fine as a link says it').toBe(0.125);
    expect(pushed).toEqual([]);
    fireEvent.lostPointerCapture(handle, { pointerId: 1 });
    await waitFor(() => expect(pushed).toHaveLength(1));
    for (let i = 0; i < 3; i++) fireEvent.keyDown(handle, { key: 'ArrowRight' });
    expect(split()).toBe(0.185);
    fireEvent.keyUp(handle, { key: 'ArrowRight' });
    await waitFor(() => expect(pushed).toHaveLength(2));
    expect(pushed.map((hash) => new URLSearchParams(hash).get('split'))).toEqual(['0.125', '0.185']);
  });
});
