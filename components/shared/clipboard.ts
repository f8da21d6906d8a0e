/**
 * Puts a text on the clipboard, even one that is still being made. Browsers allow this only in the task of a click: Safari refuses
 * anything after an await, so the clipboard is given the promise where it takes one. False: the browser did not allow it.
 */
export async function copyText(text: string | Promise<string>): Promise<boolean> {
  try {
    await writeText(text);
    return true;
  } catch {
    return false;
  }
}

async function writeText(text: string | Promise<string>): Promise<void> {
  const { clipboard } = navigator;
  if (typeof text !== 'string' && typeof ClipboardItem !== 'undefined' && 'write' in clipboard) {
    const blob = text.then((made) => new Blob([made], { type: 'text/plain' }));
    // A refused item ignores its promise; a rejection surfaces below.
    blob.catch(() => {});
    try {
      await clipboard.write([new ClipboardItem({ 'text/plain': blob })]);
      return;
    } catch {
      // An older browser, whose items take no promises: it lets the text come later.
    }
  }
  await clipboard.writeText(typeof text === 'string' ? text : await text);
}
