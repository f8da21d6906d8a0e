import type { CompileStage } from '../ops';
import type { Capabilities } from './capabilities';
import { type Extension, kernelNamed } from './kernel';
import { knownPipelines, type PipelineName } from './known-pipelines';
import type { Pipelines } from './pipelines';

/** Compiles ahead what a study will take. */
export class Preparation {
  readonly #pipelines: Pipelines;
  readonly #capabilities: Capabilities;
  readonly #stages = new Map<CompileStage, Promise<unknown>>();

  constructor(pipelines: Pipelines, capabilities: Capabilities) {
    this.#pipelines = pipelines;
    this.#capabilities = capabilities;
  }

  /** Compiles the kernels of a stage, all at once, the first time it is asked for. */
  async prepare(stage: CompileStage): Promise<void> {
    let prepared = this.#stages.get(stage);
    if (!prepared) {
      const names = knownPipelines(this.#capabilities, stage);
      prepared = Promise.all(names.map((name) => this.#compile(name)));
      this.#stages.set(stage, prepared);
    }
    await prepared;
  }

  #compile({ kernel: name, constants }: PipelineName): Promise<void> | undefined {
    const kernel = kernelNamed(name);
    if (!kernel?.extensions.every((extension) => this.#has(extension))) return undefined;
    return this.#pipelines.prepare(kernel, constants);
  }

  #has(extension: Extension): boolean {
    return extension === 'f16' ? this.#capabilities.shaderF16 : this.#capabilities.subgroups;
  }
}
