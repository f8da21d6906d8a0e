/**
 * A server of the bundled model's files that misbehaves: under /MODE/ the weights come as the mode says, everything else soundly.
 * Loopback only.
 */
import { readFileSync } from 'node:fs';
import { createServer, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';

const folder = join(import.meta.dirname, '../../samples/model');
const MEGABYTE = 1e6;

/** What each mode does with model.safetensors, given its bytes. */
const modes = {
  sound: (response, bytes) => response.end(bytes),
  silent: () => {},
  stalls(response, bytes) {
    response.writeHead(200, { 'content-length': bytes.length });
    response.write(bytes.subarray(0, MEGABYTE));
  },
  endless(response) {
    const piece = Buffer.alloc(2 ** 16);
    const more = (): void => {
      while (!response.destroyed && response.write(piece)) {}
      response.once('drain', more);
    };
    more();
  },
  'announces-more'(response, bytes) {
    response.writeHead(200, { 'content-length': bytes.length + 1000 });
    response.write(bytes);
  },
  'announces-less'(response, bytes) {
    response.writeHead(200, { 'content-length': MEGABYTE });
    response.end(bytes.subarray(0, MEGABYTE));
  },
  'announces-too-much'(response) {
    response.writeHead(200, { 'content-length': 2 ** 43 });
    response.write('{');
  },
  'breaks-off'(response, bytes) {
    response.writeHead(200, { 'content-length': bytes.length });
    response.write(bytes.subarray(0, bytes.length >> 1), () => setTimeout(() => response.destroy(), 50));
  },
  slow(response, bytes) {
    response.writeHead(200, { 'content-length': bytes.length });
    const pieces = 20;
    const size = Math.ceil(bytes.length / pieces);
    const send = (i: number): void => {
      if (response.destroyed) return;
      if (i === pieces) response.end();
      else response.write(bytes.subarray(i * size, (i + 1) * size), () => setTimeout(() => send(i + 1), 110));
    };
    send(0);
  },
  loops: (response) => response.writeHead(302, { location: 'model.safetensors' }).end(),
  moves: (response) => response.writeHead(302, { location: '../sound/model.safetensors' }).end(),
  'other-host'(response, _, other) {
    response.writeHead(302, { location: `${other}/sound/model.safetensors` }).end();
  },
  401: (response) => response.writeHead(401).end('no'),
  404: (response) => response.writeHead(404).end(),
  500: (response) => response.writeHead(500).end(),
  page: (response) => response.setHeader('content-type', 'text/html; charset=utf-8').end('<!doctype html>'),
} satisfies Record<string, (response: ServerResponse, bytes: Buffer, other: string) => void>;

export type Mode = `${keyof typeof modes}`;

export interface MisbehavingServer {
  /** Of the folder that behaves so. */
  address(mode: Mode): string;
  /** Host and port that `other-host` leads to. */
  readonly otherHost: string;
  /** Paths asked for so far, at either host. */
  readonly asked: string[];
  close(): Promise<void>;
}

/** `patch` changes files of all folders, by name: null: not there. */
export async function startServer(
  patch: Readonly<Record<string, string | null>> = {},
): Promise<MisbehavingServer> {
  const asked: string[] = [];
  const files = new Map<string, Buffer>();
  const read = (name: string): Buffer | null => {
    if (Object.hasOwn(patch, name)) return patch[name] === null ? null : Buffer.from(patch[name]!);
    try {
      const bytes = files.get(name) ?? readFileSync(join(folder, name));
      files.set(name, bytes);
      return bytes;
    } catch {
      return null;
    }
  };
  const servers = [0, 1].map(() =>
    createServer((request, response) => {
      const [, mode, name] = (request.url ?? '').split('/');
      asked.push(request.url ?? '');
      response.setHeader('access-control-allow-origin', '*');
      const bytes = read(name ?? '');
      if (!bytes || !Object.hasOwn(modes, mode ?? '')) response.writeHead(404).end();
      else if (name === 'model.safetensors')
        modes[mode as keyof typeof modes](response, bytes, addresses[1]!);
      else response.end(bytes);
    }),
  );
  const addresses: string[] = [];
  for (const server of servers) {
    await new Promise<void>((ready) => server.listen(0, '127.0.0.1', ready));
    addresses.push(`http://127.0.0.1:${(server.address() as AddressInfo).port}`);
  }
  return {
    asked,
    address: (mode) => `${addresses[0]}/${mode}`,
    otherHost: new URL(addresses[1]!).host,
    async close() {
      for (const server of servers) {
        server.closeAllConnections();
        await new Promise((closed) => server.close(closed));
      }
    },
  };
}
