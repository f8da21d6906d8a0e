/** Addresses of models in links: which can be used, and how they are named before anything is fetched from them. */
import { UserError } from '../user-error';
import { bundledModel } from './session';

/** Relative addresses count from here when they are checked; nothing is ever fetched from it. */
const anyPage = 'https://page.invalid/';

/**
 * `bundled`, an http or https address, or a path relative to the page. Throws UserError with a clause for anything else:
 * other schemes, blanks, control characters.
 */
export function readModelAddress(address: string): string {
  if (address === '' || address === bundledModel) return bundledModel;
  if (!/[\p{C}\p{Z}]/u.test(address) && URL.canParse(address, anyPage)) {
    const { protocol } = new URL(address, anyPage);
    if (protocol === 'https:' || protocol === 'http:') return address;
  }
  throw new UserError('must be bundled, an http or https address, or a path relative to the page');
}

/** For scripts that wait; on the page the question has a button. */
export function modelQuestion(address: string): string {
  return `This link asks for the model at ${address}; nothing is downloaded until somebody chooses "Load this model" on the page.`;
}
