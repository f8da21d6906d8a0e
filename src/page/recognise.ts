/** What a person dropped or chose, recognised by what is in it; fetched when the first file comes. */

import { GIVEN_GGUF } from '../arrival/model-name';
import { quote } from '../base/quote';
import { UserError } from '../base/user-error';
import {
  HEADER_START_BYTES,
  headerEnd,
  readHeader,
  type SafetensorsHeader,
} from '../model/files/safetensors-header';
import { SHARD_INDEX_FILE } from '../model/files/safetensors-shards';
import type { GivenFile } from './given-models';

export type Recognised =
  | { readonly kind: 'kept'; readonly file: File }
  | { readonly kind: 'model'; readonly name: string; readonly files: ReadonlyMap<string, Blob> };

/** A folder of somebody's machine may hold anything, and be large. */
const MOST_FILES = 2000;
const CONFIG = 'config.json';
const WEIGHTS = 'model.safetensors';

/** Kinds of safetensors files, told by their headers; the first that fits counts. */
const safetensorsKinds: readonly {
  is(header: SafetensorsHeader): boolean;
  open(file: File): Recognised;
}[] = [
  {
    is: ({ tensors }) => [...tensors.keys()].some((name) => /^kept\.\d+(\.\d+)?$/.test(name)),
    open: (file) => ({ kind: 'kept', file }),
  },
  {
    is: ({ metadata, tensors }) => metadata.format?.startsWith('keyhole-capture') || tensors.has('query.0'),
    open(file) {
      throw new UserError(
        `${quote(file.name)} is a capture, which the command line reads: keyhole select --capture FILE.`,
      );
    },
  },
  {
    is: () => true,
    open(file) {
      throw new UserError(
        `${quote(file.name)} holds a model’s weights: give ${CONFIG} and tokenizer.json of its folder with it, or the folder.`,
      );
    },
  },
];

/** Throws UserError, one sentence, for what is nothing that can be opened. */
export async function recognise(all: readonly GivenFile[]): Promise<Recognised> {
  const files = all.filter(({ path }) => !/(^|\/)[._]/.test(path));
  if (files.length === 0) throw new UserError('There is no file in what was given.');
  const config = shallowest(files.filter(({ path }) => nameOf(path) === CONFIG));
  if (config) return modelFolder(config, files);
  const gguf = files.filter(({ path }) => /\.gguf$/i.test(path));
  if (gguf.length === 1) return recogniseOne(gguf[0]!.file);
  if (files.length > 1) {
    throw new UserError(
      `None of the ${files.length} files is a ${CONFIG}: give the folder of one model, one GGUF file, or one file of kept keys.`,
    );
  }
  return recogniseOne(files[0]!.file);
}

async function recogniseOne(file: File): Promise<Recognised> {
  if (await isGguf(file)) return ggufModel(file);
  const header = await headerOf(file);
  if (header) return safetensorsKinds.find((kind) => kind.is(header))!.open(file);
  throw new UserError(
    `${quote(file.name)} is nothing that can be opened here: a model folder (${CONFIG}, safetensors, tokenizer.json), a GGUF file, or a file of kept keys.`,
  );
}

/** Null: it is no safetensors file. UserError: it is a damaged one. */
async function headerOf(file: File): Promise<SafetensorsHeader | null> {
  const bytes = async (end: number) => new Uint8Array(await file.slice(0, end).arrayBuffer());
  const start = await bytes(HEADER_START_BYTES);
  // Eight bytes of length, then JSON.
  if (!file.name.endsWith('.safetensors') && start[8] !== '{'.charCodeAt(0)) return null;
  return readHeader(await bytes(headerEnd(start, file.size, quote(file.name))), quote(file.name), file.size);
}

async function isGguf(file: File): Promise<boolean> {
  return (await file.slice(0, 4).text()) === 'GGUF';
}

function ggufModel(file: File): Recognised {
  if (/-\d{5}-of-\d{5}\.gguf$/i.test(file.name)) {
    throw new UserError(
      `${quote(file.name)} is a part of a model: put the parts together with llama-gguf-split --merge, then give the whole.`,
    );
  }
  const name = /\.gguf$/i.test(file.name) ? file.name : `${file.name}.gguf`;
  return { kind: 'model', name, files: new Map([[GIVEN_GGUF, file]]) };
}

function modelFolder(config: GivenFile, files: readonly GivenFile[]): Recognised {
  const folder = config.path.slice(0, -CONFIG.length);
  const inside = new Map<string, Blob>();
  for (const { path, file } of files)
    if (path.startsWith(folder)) inside.set(path.slice(folder.length), file);
  const weights = [...inside.keys()].filter((path) =>
    /^(?!keyhole-calibration)[^/]*\.safetensors$/.test(path),
  );
  if (weights.length === 0 && !inside.has(SHARD_INDEX_FILE)) {
    throw new UserError(
      `${quote(folder || CONFIG)} has a ${CONFIG} and no weights beside it: give ${WEIGHTS}, or ${SHARD_INDEX_FILE} and its files, as well.`,
    );
  }
  // The only weights there are may have any name.
  if (weights.length === 1 && !inside.has(SHARD_INDEX_FILE)) inside.set(WEIGHTS, inside.get(weights[0]!)!);
  const name =
    folder.split('/').filter(Boolean).at(-1) ?? weights[0]?.replace(/\.safetensors$/, '') ?? 'model';
  return { kind: 'model', name, files: inside };
}

/** Of files at one depth there must be only one: two folders are two models. */
function shallowest(files: readonly GivenFile[]): GivenFile | null {
  const depth = (path: string): number => path.split('/').length;
  const [first, second] = [...files].sort((one, other) => depth(one.path) - depth(other.path));
  if (first && second && depth(first.path) === depth(second.path)) {
    throw new UserError('There are several models in what was given: give the folder of one.');
  }
  return first ?? null;
}

function nameOf(path: string): string {
  return path.slice(path.lastIndexOf('/') + 1);
}

/** The files of what was dropped, folders with all that is in them. `entries` are taken in the drop's own task. */
export async function filesOfEntries(
  entries: readonly (FileSystemEntry | File | null)[],
): Promise<GivenFile[]> {
  const files: GivenFile[] = [];
  const walk = async (entry: FileSystemEntry): Promise<void> => {
    if (files.length > MOST_FILES)
      throw new UserError(`That folder has more than ${MOST_FILES} files: give the folder of one model.`);
    if (entry.isFile) {
      const file = await new Promise<File>((resolve, reject) =>
        (entry as FileSystemFileEntry).file(resolve, reject),
      );
      files.push({ path: entry.fullPath.replace(/^\//, ''), file });
      return;
    }
    const reader = (entry as FileSystemDirectoryEntry).createReader();
    for (;;) {
      // A hundred at a time, until none is left.
      const some = await new Promise<FileSystemEntry[]>((resolve, reject) =>
        reader.readEntries(resolve, reject),
      );
      if (some.length === 0) return;
      for (const each of some) await walk(each);
    }
  };
  for (const entry of entries) {
    if (entry instanceof File) files.push({ path: entry.name, file: entry });
    else if (entry) await walk(entry);
  }
  return files;
}

/** The files of a field, with their paths where it is one for folders. */
export function filesOfField(list: FileList): GivenFile[] {
  return [...list].map((file) => ({ path: file.webkitRelativePath || file.name, file }));
}
