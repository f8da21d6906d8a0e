/** How models are named that lie at no address of their own: `hub:owner/name@revision`, and `file:name` for what a person gave. */

import { UserError } from '../base/user-error';

const HUB = 'hub:';
const GIVEN = 'file:';
const OWNER = /^[\w.-]{1,96}\/[\w.-]{1,96}$/;
const LONGEST_NAME = 400;
const LONGEST_GIVEN_NAME = 80;

export interface HubName {
  /** `owner/name`. */
  readonly repository: string;
  /** A branch, tag or commit. */
  readonly revision: string;
  /** The one file that the model is, as GGUF models are; null: a folder. */
  readonly file: string | null;
}

export const isHubModel = (model: string): boolean => model.startsWith(HUB);
export const isGivenModel = (model: string): boolean => model.startsWith(GIVEN);

/** Reads `owner/name`, with `/file.gguf` and `@revision` where they are there. Throws UserError, a clause. */
export function readHubName(text: string): HubName {
  const [path = '', revision = 'main', ...more] = text.split('@');
  const [owner = '', name = '', ...file] = path.split('/');
  const repository = `${owner}/${name}`;
  const isSound =
    OWNER.test(repository) &&
    more.length === 0 &&
    text.length <= LONGEST_NAME &&
    !/[\p{C}\p{Z}?#\\]|\.\./u.test(text) &&
    revision !== '' &&
    !file.includes('');
  if (!isSound)
    throw new UserError('must be owner/name, with @revision and /file.gguf where they are needed');
  return { repository, revision, file: file.length > 0 ? file.join('/') : null };
}

/** The model as studies and links name it. */
export function hubModel({ repository, revision, file }: HubName): string {
  return `${HUB}${repository}${file === null ? '' : `/${file}`}@${revision}`;
}

/** The name of a given GGUF file among its model's files. */
export const GIVEN_GGUF = 'model.gguf';

/** Where the GGUF file is that the model is; null: it is a folder. */
export function ggufPath(model: string): string | null {
  if (isHubModel(model)) return hubNameOf(model).file;
  return isGivenModel(model) && /\.gguf( \(\d+\))?$/i.test(model) ? GIVEN_GGUF : null;
}

/** The parts of a name that `hubModel` made. */
export function hubNameOf(model: string): HubName {
  return readHubName(model.slice(HUB.length));
}

/** The model made of files with such a name, cut to what a line can hold. */
export function givenModel(name: string): string {
  const shown = name.replace(/[\p{C}\u2028\u2029/\\]/gu, '').trim();
  return GIVEN + ([...shown].slice(0, LONGEST_GIVEN_NAME).join('').trim() || 'model');
}

/** How people are told a model's name. */
export function shownModel(model: string): string {
  if (isGivenModel(model)) return model.slice(GIVEN.length);
  if (!isHubModel(model)) return model;
  const { repository, revision, file } = hubNameOf(model);
  const shownRevision = /^[0-9a-f]{40}$/.test(revision) ? revision.slice(0, 7) : revision;
  return `${repository}${file === null ? '' : `/${file}`}${revision === 'main' ? '' : ` at ${shownRevision}`}`;
}
