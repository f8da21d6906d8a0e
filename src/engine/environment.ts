/** Where models and sample texts come from: the network in the page, the disk on the command line. */
import type { ModelFolder } from '../model/load';

export interface SampleText {
  readonly id: string;
  readonly title: string;
  readonly text: string;
}

export interface StudyEnvironment {
  /** The folder of a model as studies name it. Throws UserError when there is no such folder. */
  modelFolder(name: string): ModelFolder;
  /** Texts under samples/texts: the hay of tasks, and sources of their own. */
  sampleTexts(): Promise<readonly SampleText[]>;
}
