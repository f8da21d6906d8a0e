/** The command line's environment: texts are part of the bundle, models are folders on disk. */
import { fileURLToPath } from 'node:url';
import { sampleTexts as titles } from '../../samples/texts';
import type { SampleText, StudyEnvironment } from '../engine/environment';
import { nodeFolder } from '../model/files/folder-node';

const textFiles = import.meta.glob<string>('../../samples/texts/*.txt', {
  query: '?raw',
  import: 'default',
  eager: true,
});

/** Texts under samples/texts, in the order of their list. */
export function sampleTexts(): readonly SampleText[] {
  return titles.map(({ id, title }) => ({ id, title, text: textFiles[`../../samples/texts/${id}.txt`]! }));
}

/** The bundled model's folder, beside the one of the program, dist/cli.js. */
export const bundledModel = fileURLToPath(new URL('../samples/model', import.meta.url));

export function nodeEnvironment(): StudyEnvironment {
  return {
    modelFolder: (name) => nodeFolder(name === 'bundled' ? bundledModel : name),
    sampleTexts: async () => sampleTexts(),
  };
}
