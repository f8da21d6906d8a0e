/** What a hub says of a repository: its commit, and the size and hash of every file. */

import * as z from 'zod/mini';
import { quote } from '../../base/quote';
import { UserError } from '../../base/user-error';
import type { HubName } from '../model-name';
import { type HubSettings, mayComeFrom } from './settings';

export interface RepositoryFile {
  readonly path: string;
  readonly bytes: number;
  /** SHA-256 of a large file, hexadecimal; null: it lies in git itself. */
  readonly sha256: string | null;
  /** Git's name of a file that lies in git itself: SHA-1 over `blob BYTES\0` and the file. */
  readonly gitSha1: string | null;
}

export interface Repository {
  /** `owner/name`. */
  readonly name: string;
  /** What its files are asked for by, whatever a branch comes to point at. */
  readonly commit: string;
  readonly files: readonly RepositoryFile[];
}

export interface HubAccess {
  readonly settings: HubSettings;
  /** Goes to the hub alone; null: none was given. */
  readonly token: string | null;
}

const hash = (digits: number) => z.string().check(z.regex(new RegExp(`^[0-9a-f]{${digits}}$`)));

const answer = z.object({
  sha: hash(40),
  siblings: z.array(
    z.object({
      rfilename: z.string(),
      size: z.optional(z.nullable(z.int().check(z.nonnegative()))),
      blobId: z.optional(z.nullable(z.string())),
      lfs: z.optional(z.nullable(z.object({ sha256: hash(64) }))),
    }),
  ),
});

/** Longest time until a hub has answered. */
const ANSWER_MILLISECONDS = 30_000;

/**
 * Asks the hub for the files of a repository at a revision, in one request. Throws UserError, one sentence, or the signal's reason.
 */
export async function askRepository(
  { repository, revision }: HubName,
  access: HubAccess,
  signal: AbortSignal,
): Promise<Repository> {
  const { address } = access.settings;
  const asked = `${address}/api/models/${repository}/revision/${encodeURIComponent(revision)}?blobs=true`;
  const limit = AbortSignal.any([signal, AbortSignal.timeout(ANSWER_MILLISECONDS)]);
  let response: Response;
  let body: unknown;
  try {
    response = await fetch(asked, requestOf(access, limit));
    checkHost(response, repository, access.settings);
    if (!response.ok) throw refusal(response, repository, revision, access);
    body = await response.json();
  } catch (error) {
    signal.throwIfAborted();
    if (error instanceof UserError) throw error;
    throw new UserError(
      isOffline()
        ? `There is no connection: ${quote(repository)} is not stored in this browser and cannot be looked up.`
        : `${address} did not answer for ${quote(repository)}, or with something that is no list of files; check the hub's address and the connection.`,
    );
  }
  const read = answer.safeParse(body);
  if (!read.success) {
    throw new UserError(
      `${address} answered for ${quote(repository)} with something that is no list of files; check the hub's address.`,
    );
  }
  const { sha, siblings } = read.data;
  const files = siblings.map(({ rfilename, size, blobId, lfs }) => ({
    path: rfilename,
    bytes: size ?? -1,
    sha256: lfs?.sha256 ?? null,
    gitSha1: lfs ? null : (blobId ?? null),
  }));
  // A file without a size cannot be checked, and no hub leaves it out where it was asked for.
  return { name: repository, commit: sha, files: files.filter(({ bytes }) => bytes >= 0) };
}

/** How everything is asked of the hub. The browser drops the token where a redirect leads to another origin. */
export function requestOf(
  { token }: HubAccess,
  signal: AbortSignal,
  range: string | null = null,
): RequestInit {
  return {
    signal,
    // What is stored is not wanted in the browser's cache a second time.
    cache: 'no-store',
    credentials: 'omit',
    referrerPolicy: 'no-referrer',
    headers: {
      ...(token !== null && { authorization: `Bearer ${token}` }),
      ...(range !== null && { range }),
    },
  };
}

/** Throws UserError where a redirect led to a host that the settings do not name; nothing of the body is read. */
export function checkHost(response: Response, what: string, settings: HubSettings): void {
  const from = new URL(response.url || settings.address);
  if (mayComeFrom(settings, from)) return;
  throw new UserError(
    `The hub sends ${quote(what)} from ${quote(from.host)}, which its settings do not name; add that host to them if you trust it.`,
  );
}

/** The sentence for an answer other than 200. */
export function refusal(
  response: Response,
  repository: string,
  revision: string,
  { settings: { address }, token }: HubAccess,
): UserError {
  const name = quote(repository);
  const code = response.headers.get('x-error-code') ?? '';
  if (code === 'RevisionNotFound') return new UserError(`${name} has no revision ${quote(revision)}.`);
  if (response.status === 403 || code === 'GatedRepo') {
    return new UserError(
      token === null
        ? `${name} is gated: agree to its terms on ${address}, then give a token of your account.`
        : `The token that was given does not open ${name}: agree to the model's terms on ${address} with its account.`,
    );
  }
  // A hub does not tell those whom it does not know which names exist.
  if (response.status === 401) {
    return new UserError(
      token === null
        ? `${address} has no public model ${name}: check its name, or give a token if it is private or gated.`
        : `${address} does not accept the token that was given, or it does not open ${name}.`,
    );
  }
  if (response.status === 404) return new UserError(`${address} has no model ${name} at ${quote(revision)}.`);
  return new UserError(`${address} answered ${response.status} for ${name}; try again later.`);
}

export const isOffline = (): boolean => globalThis.navigator?.onLine === false;

/** What of a repository a model is made of, largest need first known: files that an opening asks for. */
export function filesOfModel({ files }: Repository, file: string | null): readonly RepositoryFile[] {
  if (file !== null) return files.filter(({ path }) => firstShard(path) === file);
  const weights = weightFiles(files);
  return files.filter((each) => SMALL_FILES.has(each.path) || weights.includes(each));
}

const SMALL_FILES = new Set([
  'config.json',
  'tokenizer.json',
  'tokenizer_config.json',
  'keyhole-calibration.safetensors',
  'model.safetensors.index.json',
]);

function weightFiles(files: readonly RepositoryFile[]): readonly RepositoryFile[] {
  const whole = files.filter(({ path }) => path === 'model.safetensors');
  return whole.length > 0 ? whole : files.filter(({ path }) => /^model-\d+-of-\d+\.safetensors$/.test(path));
}

/** Null where a repository has a model that can be read; otherwise a sentence that says what is there instead. */
export function whyNoModel(repository: Repository, file: string | null): string | null {
  const { name, files } = repository;
  const has = (path: string): boolean => files.some((each) => each.path === path);
  if (file !== null) return has(file) ? null : `${quote(name)} has no file ${quote(file)}.`;
  if (has('config.json') && weightFiles(files).length > 0) return null;
  const gguf = ggufFiles(repository).length;
  if (gguf > 0) return `${quote(name)} has its weights as GGUF: choose one of its ${gguf} files.`;
  const kinds = [
    ...new Set(files.map(({ path }) => /\.(\w+)$/.exec(path)?.[1]).filter((kind) => kind !== undefined)),
  ];
  const there = kinds.length > 0 ? `its files end in ${kinds.sort().slice(0, 8).join(', ')}` : 'it is empty';
  return `${quote(name)} has ${has('config.json') ? 'no safetensors weights' : 'no config.json'}; ${there}.`;
}

/** Its GGUF models, each by its file, or the first of its shards. */
export function ggufFiles({ files }: Repository): readonly RepositoryFile[] {
  return files.filter(({ path }) => /\.gguf$/i.test(path) && firstShard(path) === path);
}

/** The first of the shards that a GGUF file is one of; the file itself where it is none. */
export function firstShard(path: string): string {
  return path.replace(/-\d{5}-of-(\d{5}\.gguf)$/i, '-00001-of-$1');
}
