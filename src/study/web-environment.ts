/** The page's environment: the bundled model and texts beside the page, other models by their address. */
import { sampleTexts as titles } from '../../samples/texts';
import { httpFolder } from '../model/folder-http';
import type { ModelFolder } from '../model/load';
import { UserError } from '../user-error';
import type { SampleText, StudyEnvironment } from './environment';

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

/** `page`: address that relative addresses of models count from; a worker's own would be its script's. */
export function webEnvironment(page: string): StudyEnvironment {
  let texts: Promise<readonly SampleText[]> | null = null;
  return {
    modelFolder(name): ModelFolder {
      if (name === 'bundled') {
        const files = Object.entries(modelFiles).map(([path, address]) => [fileName(path), address]);
        return httpFolder('the bundled model', Object.fromEntries(files));
      }
      return httpFolder(name, new URL(name, page).href);
    },
    sampleTexts() {
      texts ??= Promise.all(titles.map(fetchText)).catch((error) => {
        texts = null;
        throw error;
      });
      return texts;
    },
  };
}

async function fetchText({
  id,
  title,
}: {
  readonly id: string;
  readonly title: string;
}): Promise<SampleText> {
  const address = textFiles[`../../samples/texts/${id}.txt`];
  const response = await fetch(address).catch(() => null);
  if (!response?.ok) throw new UserError(`The sample text "${title}" could not be fetched; reload the page.`);
  return { id, title, text: await response.text() };
}
