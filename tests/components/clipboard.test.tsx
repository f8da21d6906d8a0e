import { act, screen } from '@testing-library/react';
import userEvent from '@testing-library/user-event';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { KeptPanel } from '../../components/results/KeptPanel';
import { copyText } from '../../components/shared/clipboard';
import { ShareButton } from '../../components/top-bar/ShareButton';
import { renderWith, testPage } from './render-page';

interface Item {
  readonly data: Readonly<Record<string, Promise<Blob>>>;
}

/** A clipboard like Safari's: it takes what is written while `isInTask`, in the task of a click, and nothing after that. */
function strictClipboard(takesPromises: boolean) {
  const clipboard = {
    isInTask: false,
    content: null as string | null,
    allow() {
      if (!clipboard.isInTask) throw new DOMException('not allowed here', 'NotAllowedError');
    },
    async writeText(text: string) {
      clipboard.allow();
      clipboard.content = text;
    },
    async write([item]: [Item]) {
      clipboard.allow();
      const { data } = item;
      clipboard.content = await (await data['text/plain']!).text();
    },
  };
  class ClipboardItem {
    readonly data: Item['data'];
    constructor(data: Item['data']) {
      this.data = data;
      if (!takesPromises && Object.values(data).some((each) => each instanceof Promise)) {
        throw new TypeError('not a Blob');
      }
    }
  }
  vi.stubGlobal('ClipboardItem', ClipboardItem);
  vi.spyOn(navigator, 'clipboard', 'get').mockReturnValue(clipboard as unknown as Clipboard);
  return clipboard;
}

const later = (text: string): Promise<string> =>
  new Promise((resolve) => {
    setTimeout(() => resolve(text), 5);
  });

afterEach(() => {
  vi.unstubAllGlobals();
  vi.restoreAllMocks();
});

describe('copying', () => {
  beforeEach(() => {
    // It puts a clipboard of its own into the page, which the tests then replace.
    userEvent.setup();
  });

  it('a text that is still being made begins in the task of the click', async () => {
    const clipboard = strictClipboard(true);
    clipboard.isInTask = true;
    const copied = copyText(later('a link'));
    clipboard.isInTask = false;
    expect(await copied).toBe(true);
    expect(clipboard.content).toBe('a link');
  });

  it('is refused, and said to be, where neither the promise nor the text may come', async () => {
    const clipboard = strictClipboard(false);
    clipboard.isInTask = true;
    const copied = copyText(later('a link'));
    clipboard.isInTask = false;
    expect(await copied).toBe(false);
    expect(clipboard.content).toBeNull();
  });

  it('waits for the text where items take no promise and the browser has patience', async () => {
    const clipboard = strictClipboard(false);
    clipboard.isInTask = true;
    expect(await copyText(later('a link'))).toBe(true);
    expect(clipboard.content).toBe('a link');
  });

  it('is false where no text was made', async () => {
    const clipboard = strictClipboard(true);
    clipboard.isInTask = true;
    expect(await copyText(Promise.reject(new Error('none')))).toBe(false);
    expect(clipboard.content).toBeNull();
  });

  it.each([
    ['data with their link', 'Copy or show kept and lost', 'Copy data tab-separated', /^what\tvalue\n/],
    ['JSON with its link', 'Copy or show kept and lost', 'Copy data JSON', /"link": "https:/],
    ['the command', 'Copy or show kept and lost', 'Copy command', / sweep /],
    ['the link', 'Share', null, /^https:\/\/example\.org\/#v=/],
  ])('%s is in the clipboard', async (_, first, second, content) => {
    const page = await testPage();
    renderWith(
      page,
      <>
        <KeptPanel />
        <ShareButton />
      </>,
    );
    await act(() => page.idle());
    const clipboard = strictClipboard(true);
    const click = (name: string): void => {
      act(() => {
        clipboard.isInTask = true;
        screen.getByRole('button', { name }).click();
        clipboard.isInTask = false;
      });
    };
    click(first);
    if (second !== null) click(second);
    expect(await screen.findByText(/copied\.$|^The link is on the clipboard/)).toBeVisible();
    expect(clipboard.content).toMatch(content);
  });
});
