/**
 * A hub on this machine, with the layout of a public one: lists of files with their hashes, `resolve` that redirects what is large to
 * another host, ranges, gated models. What misbehaves is told by `faults`. Loopback only.
 */
import { createHash } from 'node:crypto';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

interface HubFault {
  /** The connection drops after so many bytes of an answer, so many times. */
  dropAfter?: number;
  drops?: number;
  /** The whole hub is down from the drop on. */
  thenDown?: boolean;
  /** All is sent, whatever range was asked for. */
  ignoresRanges?: boolean;
  /** The bytes are not those that are listed. */
  isWrong?: boolean;
  /** Answers with this, so many times. */
  status?: number;
  times?: number;
  /** Nothing more comes after so many bytes. */
  stallAfter?: number;
  /** Milliseconds between pieces of 64 kB. */
  slow?: number;
}

export interface HubServer {
  readonly address: string;
  /** Host and port that large files are sent from. */
  readonly otherHost: string;
  readonly commit: string;
  /** `METHOD host path`, with range and token where they were sent. */
  readonly asked: string[];
  /** By path of a file. */
  readonly faults: Map<string, HubFault>;
  /** Answers nothing but 503 and drops what is under way, until it is set back. */
  isDown: boolean;
  dropAll(): void;
  close(): Promise<void>;
}

export const COMMIT = '0123456789abcdef0123456789abcdef01234567';
const TOKEN = 'token-of-a-test';

/** `files` of the repositories `owner/name`; `owner/gated` wants the token `token-of-a-test`. Files from `largeBytes` on lie elsewhere. */
export async function startHub(
  files: Readonly<Record<string, Uint8Array | string>>,
  { largeBytes = 10_000 }: { readonly largeBytes?: number } = {},
): Promise<HubServer> {
  const contents = new Map(
    Object.entries(files).map(([path, bytes]) => [path, Buffer.from(bytes as string)]),
  );
  const asked: string[] = [];
  const faults = new Map<string, HubFault>();
  const addresses: string[] = [];
  const hashOf = (kind: 'sha1' | 'sha256', ...parts: (string | Buffer)[]): string => {
    const hash = createHash(kind);
    for (const part of parts) hash.update(part);
    return hash.digest('hex');
  };
  const siblings = [...contents].map(([rfilename, bytes]) => ({
    rfilename,
    size: bytes.length,
    blobId: hashOf('sha1', `blob ${bytes.length}\0`, bytes),
    ...(bytes.length >= largeBytes && {
      lfs: { sha256: hashOf('sha256', bytes), size: bytes.length, pointerSize: 134 },
    }),
  }));

  const refuse = (response: ServerResponse, status: number, code: string): void => {
    response.writeHead(status, { 'x-error-code': code, 'content-type': 'application/json' });
    response.end(JSON.stringify({ error: code }));
  };

  const send = (request: IncomingMessage, response: ServerResponse, path: string): void => {
    const whole = contents.get(path)!;
    const fault = faults.get(path) ?? {};
    if (fault.status !== undefined && (fault.times ?? 1) > 0) {
      fault.times = (fault.times ?? 1) - 1;
      response.writeHead(fault.status).end();
      return;
    }
    const right = fault.isWrong ? Buffer.from(whole.map((byte, at) => (at === 5 ? byte ^ 1 : byte))) : whole;
    const range = /^bytes=(\d+)-$/.exec(request.headers.range ?? '');
    const begin = range && !fault.ignoresRanges ? Number(range[1]) : 0;
    const bytes = right.subarray(begin);
    if (range && !fault.ignoresRanges) {
      response.statusCode = 206;
      response.setHeader('content-range', `bytes ${begin}-${whole.length - 1}/${whole.length}`);
    }
    response.setHeader('etag', `"${hashOf('sha1', whole)}"`);
    response.setHeader('content-length', bytes.length);
    const stop = fault.stallAfter ?? ((fault.drops ?? 0) > 0 ? fault.dropAfter : undefined);
    if (stop !== undefined && stop < bytes.length) {
      if (fault.stallAfter === undefined) fault.drops = (fault.drops ?? 0) - 1;
      response.write(bytes.subarray(0, stop), () => {
        if (fault.stallAfter !== undefined) return;
        hub.isDown = fault.thenDown ?? false;
        setTimeout(() => response.destroy(), 20);
      });
      return;
    }
    if (fault.slow === undefined) {
      response.end(bytes);
      return;
    }
    const more = (at: number): void => {
      if (response.destroyed) return;
      if (at >= bytes.length) response.end();
      else
        response.write(bytes.subarray(at, at + 2 ** 16), () =>
          setTimeout(() => more(at + 2 ** 16), fault.slow),
        );
    };
    more(0);
  };

  const answer =
    (isHub: boolean) =>
    (request: IncomingMessage, response: ServerResponse): void => {
      const url = decodeURIComponent(new URL(request.url ?? '/', 'http://hub').pathname);
      // As a hub does: any page may ask, and send a token.
      response.setHeader('access-control-allow-origin', '*');
      response.setHeader('access-control-allow-headers', 'authorization, range');
      response.setHeader('access-control-expose-headers', 'etag, content-range, x-error-code');
      if (request.method === 'OPTIONS') {
        response.writeHead(204).end();
        return;
      }
      const { range, authorization } = request.headers;
      asked.push(
        [isHub ? 'hub' : 'other', url, range, authorization].filter((part) => part !== undefined).join(' '),
      );
      if (hub.isDown) {
        response.writeHead(503).end();
        return;
      }
      const [, repository, , revision, path] =
        /^\/(?:api\/models\/)?([^/]+\/[^/]+)\/(revision|resolve)\/([^/]+)(?:\/(.+))?$/.exec(url) ?? [];
      if (repository === 'owner/gated' && isHub && authorization !== `Bearer ${TOKEN}`)
        refuse(response, authorization ? 403 : 401, 'GatedRepo');
      else if (repository !== 'owner/name' && repository !== 'owner/gated')
        refuse(response, 401, 'RepoNotFound');
      else if (revision !== 'main' && revision !== COMMIT) refuse(response, 404, 'RevisionNotFound');
      else if (path === undefined) {
        response.setHeader('content-type', 'application/json');
        response.end(JSON.stringify({ id: repository, sha: COMMIT, siblings }));
      } else if (!contents.has(path)) refuse(response, 404, 'EntryNotFound');
      else if (isHub && contents.get(path)!.length >= largeBytes)
        response.writeHead(302, { location: `${addresses[1]}${request.url}` }).end();
      else send(request, response, path);
    };

  const servers: Server[] = [true, false].map((isHub) => createServer(answer(isHub)));
  for (const server of servers) {
    await new Promise<void>((ready) => server.listen(0, '127.0.0.1', ready));
    addresses.push(`http://127.0.0.1:${(server.address() as AddressInfo).port}`);
  }
  const hub: HubServer = {
    address: addresses[0]!,
    otherHost: new URL(addresses[1]!).host,
    commit: COMMIT,
    asked,
    faults,
    isDown: false,
    dropAll() {
      for (const server of servers) server.closeAllConnections();
    },
    async close() {
      for (const server of servers) {
        server.closeAllConnections();
        await new Promise((closed) => server.close(closed));
      }
    },
  };
  return hub;
}
