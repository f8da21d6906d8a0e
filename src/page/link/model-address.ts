/** Models in links: which can be used, and how they are named before anything is fetched from them. */
import {
  givenModel,
  hubModel,
  isGivenModel,
  isHubModel,
  readHubName,
  shownModel,
} from '../../arrival/model-name';
import { megabytes } from '../../base/megabytes';
import { UserError } from '../../base/user-error';
import { BUNDLED_MODEL } from '../../study/default-study';
import type { DownloadQuestion } from '../state';

/** Relative addresses count from here when they are checked; nothing is ever fetched from it. */
const ANY_PAGE = 'https://page.invalid/';

/** Reads a link's `model`: its name, and behind an "@" the digest of its weights. Throws UserError with a clause. */
export function readLinkedModel(text: string): { readonly model: string; readonly digest: string | null } {
  if (!isHubModel(text)) {
    const at = text.lastIndexOf('@');
    return at < 0
      ? { model: readModelAddress(text), digest: null }
      : { model: readModelAddress(text.slice(0, at)), digest: text.slice(at + 1) || null };
  }
  // The name of a hub's model has an "@" of its own, before its revision.
  const [name = '', revision, ...digest] = text.slice('hub:'.length).split('@');
  if (digest.length > 1) throw new UserError(HUB_GRAMMAR);
  const model = hubModel(readHubName(revision ? `${name}@${revision}` : name));
  return { model, digest: digest[0] || null };
}

const HUB_GRAMMAR = 'must be hub:owner/name@revision, with the digest behind another @';

/**
 * `bundled`, an http or https address, a path relative to the page, or `file:` and the name of what a person gave. Throws UserError
 * with a clause for anything else: other schemes, blanks, control characters.
 */
function readModelAddress(address: string): string {
  if (address === '' || address === BUNDLED_MODEL) return BUNDLED_MODEL;
  if (isGivenModel(address) && givenModel(shownModel(address)) === address) return address;
  if (!/[\p{C}\p{Z}]/u.test(address) && URL.canParse(address, ANY_PAGE)) {
    const { protocol } = new URL(address, ANY_PAGE);
    if (protocol === 'https:' || protocol === 'http:') return address;
  }
  throw new UserError(
    'must be bundled, hub:owner/name@revision, an http or https address, or a path relative to the page',
  );
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
    case 'given': {
      const choice = 'Choose files';
      return {
        before: 'This link’s model was read from files of somebody’s machine, ',
        quoted: shownModel(question.address),
        after: '; drop them here again, or choose them.',
        afterForScripts: '; somebody has to drop them on the page again.',
        choice,
      };
    }
    case 'model': {
      const choice = 'Load this model';
      return {
        before: isHubModel(question.address)
          ? 'This link asks for the model of the hub '
          : 'This link asks for the model at ',
        quoted: shownModel(question.address),
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
