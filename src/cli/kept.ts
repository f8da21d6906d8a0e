/** --kept: a selection that was computed elsewhere, in a method's place. */
import { UserError } from '../base/user-error';
import { IMPORTED_ID, importedMethod } from '../methods/imported';
import { type ImportedSelection, readImportedSelection } from '../methods/imported/selection';
import type { Method } from '../methods/method';
import type { ParameterContext } from '../methods/parameters';
import { readSafetensors } from '../model/files/safetensors';
import type { Arguments } from './arguments';
import { readBytes } from './files';

/** The file that --kept names; null: none. Throws UserError for one that is not sound. */
export function keptOf(args: Arguments): ImportedSelection | null {
  if (!args.has('kept')) return null;
  const path = args.text('kept');
  return readImportedSelection(readSafetensors(readBytes(path), path), fileName(path));
}

/** The method that a file is, of the text it is measured on. */
export function keptMethod(selection: ImportedSelection, context: ParameterContext): Method {
  return importedMethod(selection, context, IMPORTED_ID);
}

/** Says why a file cannot stand where many texts are made. */
export function refuseKept(args: Arguments): void {
  if (!args.has('kept')) return;
  throw new UserError(
    'evaluate makes texts of its own and --kept lists the keys of one text; measure it with sweep --kept.',
  );
}

function fileName(path: string): string {
  return path.slice(Math.max(path.lastIndexOf('/'), path.lastIndexOf('\\')) + 1);
}
