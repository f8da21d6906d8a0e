/** What methods keep of one short text, made by scripts/pictures.mjs; a test runs them again. */
import type { Parameters } from '../../src/methods/parameters';
import data from './kept-pictures.json';

export interface KeptPicture {
  /** Parameters that are not the defaults for a text of that length. */
  readonly parameters: Parameters;
  /** Triangles as packTriangle writes them. */
  readonly heads: readonly { readonly layer: number; readonly head: number; readonly cells: string }[];
}

export interface KeptPictures {
  readonly text: string;
  /** Digest of the model that read it. */
  readonly model: string;
  readonly tokens: number;
  /** Where methods that evict once do so. */
  readonly evictAt: number;
  /** By id; a method that is missing keeps every token, each as less than it was. */
  readonly pictures: Readonly<Record<string, KeptPicture>>;
}

export const keptPictures: KeptPictures = data;
