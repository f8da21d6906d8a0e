/** Reads a file of kept keys; fetched when the first one comes. */
import { quote } from '../base/quote';
import { UserError } from '../base/user-error';
import { type ImportedSelection, readImportedSelection } from '../methods/imported/selection';
import { readSafetensors } from '../model/files/safetensors';

const LARGEST_BYTES = 2 ** 29;

/** Throws UserError with one sentence. */
export async function readKeptFile(file: Blob, name: string): Promise<ImportedSelection> {
  if (file.size > LARGEST_BYTES) {
    throw new UserError(
      `${quote(name)} has ${Math.round(file.size / 1e6)} MB; a file of kept keys has at most ${Math.round(LARGEST_BYTES / 1e6)}.`,
    );
  }
  const shown = name.replace(/[\p{C}\u2028\u2029]/gu, '').slice(0, 60) || 'a file';
  return readImportedSelection(readSafetensors(await file.arrayBuffer(), shown), shown);
}
