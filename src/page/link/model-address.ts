/** Addresses of models in links: which can be used, and how they are named before anything is fetched from them. */
import { megabytes } from '../../base/megabytes';
import { UserError } from '../../base/user-error';
import { BUNDLED_MODEL } from '../../study/default-study';
import type { DownloadQuestion } from '../state';

/** Relative addresses count from here when they are checked; nothing is ever fetched from it. */
const ANY_PAGE = 'https://page.invalid/';

/**
 * `bundled`, an http or https address, or a path relative to the page. Throws UserError with a clause for anything else:
 * other schemes, blanks, control characters.
 */
export function readModelAddress(address: string): string {
  if (address === '' || address === BUNDLED_MODEL) return BUNDLED_MODEL;
  if (!/[\p{C}\p{Z}]/u.test(address) && URL.canParse(address, ANY_PAGE)) {
    const { protocol } = new URL(address, ANY_PAGE);
    if (protocol === 'https:' || protocol === 'http:') return address;
  }
  throw new UserError('must be bundled, an http or https address, or a path relative to the page');
}

/** The question before a download, and what is done about it. On the page two buttons follow, of which `choice` is the first. */
export function sentencesOf(question: DownloadQuestion): {
  readonly before: string;
  readonly quoted: string;
  readonly after: string;
  /** The same for those who see no button. */
  readonly afterForScripts: string;
  readonly choice: string;
} {
  const isChosen = (choice: string): string => `somebody chooses "${choice}" on the page.`;
  switch (question.kind) {
    case 'model': {
      const choice = 'Load this model';
      return {
        before: 'This link asks for the model at ',
        quoted: question.address,
        after: '; nothing is downloaded until you choose.',
        afterForScripts: `; nothing is downloaded until ${isChosen(choice)}`,
        choice,
      };
    }
    case 'host': {
      const choice = 'Load from this host';
      return {
        before: `The model at ${question.address} sends its files from another host, `,
        quoted: question.host,
        after: '; nothing is read from there until you choose.',
        afterForScripts: `; nothing is read from there until ${isChosen(choice)}`,
        choice,
      };
    }
    case 'again': {
      const choice = 'Download again';
      const lost = ` was too large to keep: ${megabytes(question.bytes)} would be downloaded again`;
      return {
        before: 'The engine had to be started anew, and the model at ',
        quoted: question.address,
        after: `${lost}.`,
        afterForScripts: `${lost} once ${isChosen(choice)}`,
        choice,
      };
    }
  }
}

/** For scripts that wait; on the page the question has a button. */
export function questionText(question: DownloadQuestion): string {
  const { before, quoted, afterForScripts } = sentencesOf(question);
  return `${before}${quoted}${afterForScripts}`;
}
