import { useState } from 'react';
import { usePage } from '../../src/page/hooks';
import { COMFORTABLE_LINK_CHARACTERS } from '../../src/page/limits';
import type { SharedLink } from '../../src/page/page';
import { Button } from '../shared/Button';
import { copyText } from '../shared/clipboard';
import { ErrorText, Input } from '../shared/Field';
import { formatCount } from '../shared/format';
import { Popover } from '../shared/Popover';
import styles from './TopBar.module.css';

/** Copies a link to what is on the page, and says what travels in it. */
export function ShareButton() {
  const page = usePage();
  const [link, setLink] = useState<SharedLink | null>(null);
  const [isCopied, setCopied] = useState(false);
  const [isOpen, setOpen] = useState(false);
  const share = async () => {
    setLink(null);
    const made = page.share();
    const copying = copyText(made.then(({ url }) => url));
    setLink(await made);
    setCopied(await copying);
  };
  return (
    <Popover
      // In the click's own task: only there may the clipboard be written.
      trigger={
        <Button kind="primary" onClick={() => !isOpen && share()}>
          Share
        </Button>
      }
      aria-label="Share"
      className={styles.share}
      isOpen={isOpen}
      onOpenChange={setOpen}
    >
      {link && (
        <>
          <p role="status">
            {isCopied ? 'The link is on the clipboard.' : 'Copy the link from here:'} {travels(link)}
          </p>
          <Input
            className={styles.link}
            readOnly
            value={link.url}
            aria-label="Link to this view"
            onFocus={(event) => event.target.select()}
          />
          {link.url.length > COMFORTABLE_LINK_CHARACTERS && (
            <ErrorText>
              {formatCount(link.url.length)} characters: some mail and chat programs cut links this long.
            </ErrorText>
          )}
        </>
      )}
    </Popover>
  );
}

function travels(link: SharedLink): string {
  const left = link.leftOut.join(' and ');
  return left === ''
    ? ofText(link)
    : `${ofText(link)} Files do not travel: ${left} is left out, and the link opens with another method in its place.`;
}

function ofText({ url, textCharacters }: SharedLink): string {
  if (textCharacters === 0) return 'It holds the settings and the view, and none of your own text.';
  return `Your own text travels in it, compressed: ${formatCount(textCharacters)} characters in a link of ${formatCount(url.length)}. Anyone with the link can read the text.`;
}
