import { spawn, spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { hostname, tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { lockFile } from '../../src/cli/lock';

let folder = '';
const out = (): string => join(folder, 'out.json');
const lock = (): string => `${out()}.lock`;
const hold = (holder: object): void => writeFileSync(lock(), JSON.stringify(holder));

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'keyhole-lock-'));
});
afterEach(() => rmSync(folder, { recursive: true }));

it('lets one process write a file, and the next once it has let go', () => {
  const release = lockFile(out());
  expect(() => lockFile(out())).toThrow(
    `${out()} is being written by process ${process.pid}; wait until it has ended, or name another file.`,
  );
  release();
  expect(readdirSync(folder)).toEqual([]);
  lockFile(out())();
  expect(readdirSync(folder)).toEqual([]);
});

it('respects a process that runs, and nobody that has ended', () => {
  const running = spawn('sleep', ['60']);
  try {
    hold({ pid: running.pid, host: hostname(), started: null });
    expect(() => lockFile(out())).toThrow(`by process ${running.pid};`);
    expect(JSON.parse(readFileSync(lock(), 'utf8')).pid).toBe(running.pid);
    // Its number belonged to another process when the lock was taken.
    hold({ pid: running.pid, host: hostname(), started: '1' });
    lockFile(out())();
  } finally {
    running.kill('SIGKILL');
  }
  const { pid } = spawnSync('true');
  hold({ pid, host: hostname(), started: null });
  lockFile(out())();
  // A lock that was cut off says nothing of anybody.
  writeFileSync(lock(), '{"pid": 1');
  lockFile(out())();
  expect(existsSync(lock())).toBe(false);
});

it('leaves a file alone that is no lock', () => {
  for (const text of ['# yarn lockfile v1\n', '[[package]]\nname = "a"\n', '{"packages":{}}']) {
    writeFileSync(lock(), text);
    expect(() => lockFile(out())).toThrow(`${lock()} is there and is no lock; name another --out.`);
    expect(readFileSync(lock(), 'utf8')).toBe(text);
    expect(readdirSync(folder)).toEqual(['out.json.lock']);
  }
});

it('leaves another machine’s alone, and names the file to remove', () => {
  hold({ pid: 1, host: 'elsewhere', started: null });
  expect(() => lockFile(out())).toThrow(
    `by process 1 of elsewhere; wait until it has ended, or if it no longer runs remove ${lock()}.`,
  );
  expect(readdirSync(folder)).toEqual(['out.json.lock']);
});

it('says what is wrong where no lock can be written', () => {
  expect(() => lockFile(join(folder, 'nowhere', 'out.json'))).toThrow(
    /cannot be written: there is no such folder/,
  );
});
