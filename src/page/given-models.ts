/** Models of files that were given on this page. They live as long as the page does; a link carries no more than their name. */

import { givenModel } from '../arrival/model-name';

/** A file of somebody's machine: its path from where it was dropped or chosen. */
export interface GivenFile {
  readonly path: string;
  readonly file: File;
}

type Files = ReadonlyMap<string, Blob>;

export class GivenModels {
  readonly #models = new Map<string, Files>();

  /** The name that studies know it by: a number is added where other files were given under the same name. */
  add(name: string, files: Files): string {
    for (let number = 1; ; number++) {
      const model = givenModel(number === 1 ? name : `${name} (${number})`);
      const known = this.#models.get(model);
      if (known && !isSame(known, files)) continue;
      this.#models.set(model, files);
      return model;
    }
  }

  all(): IterableIterator<[string, Files]> {
    return this.#models.entries();
  }
}

/** As far as files tell without being read. */
function isSame(one: Files, other: Files): boolean {
  const described = (files: Files): string =>
    [...files]
      .map(([path, file]) => [path, file.size, file instanceof File ? file.lastModified : 0].join())
      .sort()
      .join();
  return described(one) === described(other);
}
