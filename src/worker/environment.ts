/** The page's environment: the bundled model and texts beside the page, other models by their address or name. */
import { sampleTexts as titles } from '../../samples/texts';
import { OWN_FILES } from '../arrival/arrivals';
import { ggufPath, isGivenModel, isHubModel, shownModel } from '../arrival/model-name';
import { UserError } from '../base/user-error';
import type { SampleText, StudyEnvironment } from '../engine/environment';
import { type FetchFile, httpFolder, namedFolder } from '../model/files/folder-http';
import type { ModelFolder } from '../model/load';

// Addresses, not contents: the build copies the files, and they are fetched when a study needs them.
const modelFiles = import.meta.glob<string>('../../samples/model/*.{json,safetensors}', {
  query: '?url',
  import: 'default',
  eager: true,
});
const textFiles = import.meta.glob<string>('../../samples/texts/*.txt', {
  query: '?url',
  import: 'default',
  eager: true,
});

function fileName(path: string): string {
  return path.slice(path.lastIndexOf('/') + 1);
}

/** Fetches a file for a model, named as studies name it. */
export type FetchForModel = (model: string) => FetchFile;

/** `page`: address that relative addresses count from; a worker's own would be its script's. */
export function webEnvironment(page: string, fetchFor: FetchForModel): StudyEnvironment {
  let texts: Promise<readonly SampleText[]> | null = null;
  const fetchOwn: FetchFile = (path, address, options) =>
    fetchFor(OWN_FILES)(path, new URL(address, import.meta.url).href, options);
  return {
    modelFolder(name): ModelFolder {
      if (name === OWN_FILES) {
        const files = Object.entries(modelFiles).map(([path, address]) => [fileName(path), address]);
        return httpFolder('the bundled model', Object.fromEntries(files), fetchOwn);
      }
      if (isHubModel(name) || isGivenModel(name))
        return namedFolder(shownModel(name), fetchFor(name), ggufPath(name));
      return httpFolder(name, new URL(name, page).href, fetchFor(name));
    },
    sampleTexts() {
      texts ??= Promise.all(titles.map((title) => fetchText(title, fetchOwn))).catch((error) => {
        texts = null;
        throw error;
      });
      return texts;
    },
  };
}

async function fetchText(
  { id, title }: { readonly id: string; readonly title: string },
  fetchOwn: FetchFile,
): Promise<SampleText> {
  const file = await fetchOwn(`${id}.txt`, textFiles[`../../samples/texts/${id}.txt`]!, {});
  if (!file) throw new UserError(`The sample text "${title}" could not be fetched; reload the page.`);
  return { id, title, text: await file.blob.text() };
}
