import { spawnSync } from 'node:child_process';
import {
  chmodSync,
  existsSync,
  linkSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { readArguments } from '../../src/cli/arguments';
import { checkOutput, type Inputs, writeWhole } from '../../src/cli/output';

let folder = '';
const path = (name: string): string => join(folder, name);
const write = (name: string, text = 'content'): string => {
  writeFileSync(path(name), text);
  return path(name);
};
const nothing: Inputs = { files: [], folders: [] };
const check = (name: string, inputs: Partial<Inputs> = {}) =>
  expect(() => checkOutput(path(name), { ...nothing, ...inputs }));

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'keyhole-out-'));
});
afterEach(() => rmSync(folder, { recursive: true }));

it('refuses a file that is read, under whatever path it is named', () => {
  const text = write('text.txt');
  symlinkSync(text, path('link.txt'));
  linkSync(text, path('hard.txt'));
  mkdirSync(path('inner'));
  symlinkSync(folder, path('inner/up'));
  for (const name of ['text.txt', './inner/../text.txt', 'link.txt', 'hard.txt', 'inner/up/text.txt'])
    check(name, { files: [text] }).toThrow(/is the file .*text\.txt, which is read; name another file\.$/);
  check('link.txt', { files: [path('inner/up/link.txt')] }).toThrow(/which is read/);
  // An input that is not there is no reason; reading it says so.
  check('other.txt', { files: [text, path('nowhere')] }).not.toThrow();
});

it('refuses each file of a model folder, and names that would become part of the model', () => {
  mkdirSync(path('model'));
  mkdirSync(path('blobs'));
  write('blobs/1', 'weights');
  symlinkSync('../blobs/1', path('model/model-00001-of-00001.safetensors'));
  write('model/notes.md');
  const folders = [path('model')];
  for (const name of [
    'model/notes.md',
    'model/model-00001-of-00001.safetensors',
    'blobs/1',
    'model/config.json',
  ])
    check(name, { folders }).toThrow(/is a file of the model in .*; name one outside that folder\.$/);
  check('model/keyhole-calibration.safetensors', { folders }).toThrow(/is a file of the model/);
  check('model/new.safetensors', { folders }).not.toThrow();
  check('config.json', { folders }).not.toThrow();
});

it('refuses weight files in folders below the model’s, which its index names', () => {
  mkdirSync(path('model/weights'), { recursive: true });
  write('model/weights/1.safetensors');
  linkSync(path('model/weights/1.safetensors'), path('hard.safetensors'));
  const index = { weight_map: { a: 'weights/1.safetensors', b: 'weights/2.safetensors' } };
  write('model/model.safetensors.index.json', JSON.stringify(index));
  const folders = [path('model')];
  for (const name of ['model/weights/1.safetensors', 'model/weights/2.safetensors', 'hard.safetensors'])
    check(name, { folders }).toThrow(/is a file of the model in /);
  check('model/weights/3.safetensors', { folders }).not.toThrow();
});

it('knows its inputs from the options', () => {
  const inputs = { text: write('t.txt'), 'ids-file': write('ids.json'), capture: write('c.safetensors') };
  for (const [name, input] of Object.entries(inputs)) {
    const verb = 'select';
    const args = readArguments(verb, [`--${name}`, input, '--out', input]);
    expect(() => args.output(), name).toThrow(/which is read/);
  }
  mkdirSync(path('m'));
  write('m/model.safetensors');
  const args = readArguments('evaluate', ['--model', path('m'), '--out', path('m/model.safetensors')]);
  expect(() => args.output()).toThrow(/is a file of the model/);
});

it('writes through links to what they lead to, beside it', () => {
  mkdirSync(path('far'));
  const target = write('far/target.json', 'before');
  chmodSync(target, 0o640);
  symlinkSync('far/target.json', path('link.json'));
  symlinkSync('link.json', path('second.json'));
  symlinkSync('far/new.json', path('dangling.json'));
  for (const name of ['second.json', 'dangling.json']) {
    check(name).not.toThrow();
    writeWhole(path(name), `after ${name}`);
    expect(lstatSync(path(name)).isSymbolicLink()).toBe(true);
  }
  expect(readFileSync(target, 'utf8')).toBe('after second.json');
  expect(statSync(target).mode & 0o777).toBe(0o640);
  expect(readFileSync(path('far/new.json'), 'utf8')).toBe('after dangling.json');
  expect(readdirSync(path('far')).sort()).toEqual(['new.json', 'target.json']);
});

it('refuses what is no regular file', () => {
  expect(spawnSync('mkfifo', [path('pipe')]).status).toBe(0);
  symlinkSync('circle', path('circle'));
  symlinkSync('/dev/null', path('null'));
  mkdirSync(path('folder'));
  check('pipe').toThrow(/pipe cannot be written: it is no regular file/);
  check('null').toThrow(/it is no regular file/);
  check('folder').toThrow(/it is a folder/);
  check('new/').toThrow(/the name is that of a folder/);
  check('circle').toThrow(/links lead in a circle/);
  check('nowhere/out.json').toThrow(/there is no such folder/);
  write('file');
  check('file/out.json').toThrow(/a part of its path is a file/);
  for (const stream of ['/dev/stdout', '/dev/fd/1', '/proc/self/fd/1', '/proc/self/out.json'])
    expect(() => checkOutput(stream, nothing), stream).toThrow(/cannot be written: it is a stream/);
  expect(() => checkOutput('/dev/full', nothing)).toThrow(/it is no regular file/);
  expect(existsSync(path('pipe'))).toBe(true);
});

it('takes names of up to 255 characters, and says of longer ones before any work that they are too long', () => {
  for (const length of [245, 255]) {
    const name = 'n'.repeat(length);
    check(name).not.toThrow();
    writeWhole(path(name), 'whole');
    expect(readFileSync(path(name), 'utf8')).toBe('whole');
  }
  for (const length of [256, 300]) check('n'.repeat(length)).toThrow(/its name or path is too long\.$/);
});

it('leaves what was there, and nothing half-written, when writing fails', () => {
  const out = write('out.json', 'before');
  const full = new Proxy(new Uint8Array(8), {});
  expect(() => writeWhole(out, full)).toThrow(/out\.json cannot be written/);
  expect(readFileSync(out, 'utf8')).toBe('before');
  expect(readdirSync(folder)).toEqual(['out.json']);
});
