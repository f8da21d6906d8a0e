/**
 * Puts a text into the clipboard, also one that is still being made. Browsers allow it in the task of a click only: Safari refuses
 * what comes after an await, so the clipboard gets the promise where it takes one. False: the browser did not allow it.
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
    // An item that is refused leaves its promise alone; that no text was made is heard below.
    blob.catch(() => {});
    try {
      await clipboard.write([new ClipboardItem({ 'text/plain': blob })]);
      return;
    } catch {
      // A browser from before items took promises: it lets the text come later.
    }
  }
  await clipboard.writeText(typeof text === 'string' ? text : await text);
}
