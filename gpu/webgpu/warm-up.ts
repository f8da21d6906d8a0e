import type { CompileStage } from '../ops';
import type { Capabilities } from './capabilities';
import { type Extension, kernelNamed } from './kernel';
import type { Pipelines } from './pipelines';
import { type PipelineName, warmUpList } from './warm-up-list';

/** Compiles ahead what a study will take. */
export class WarmUp {
  readonly #pipelines: Pipelines;
  readonly #capabilities: Capabilities;
  readonly #stages = new Map<CompileStage, Promise<unknown>>();

  constructor(pipelines: Pipelines, capabilities: Capabilities) {
    this.#pipelines = pipelines;
    this.#capabilities = capabilities;
  }

  /** Compiles the kernels of a stage, all at once, the first time it is asked for. */
  async warmUp(stage: CompileStage): Promise<void> {
    let warm = this.#stages.get(stage);
    if (!warm) {
      const names = warmUpList(this.#capabilities, stage);
      warm = Promise.all(names.map((name) => this.#compile(name)));
      this.#stages.set(stage, warm);
    }
    await warm;
  }

  #compile({ kernel: name, constants }: PipelineName): Promise<void> | undefined {
    const kernel = kernelNamed(name);
    if (!kernel?.extensions.every((extension) => this.#has(extension))) return undefined;
    return this.#pipelines.warmUp(kernel, constants);
  }

  #has(extension: Extension): boolean {
    return extension === 'f16' ? this.#capabilities.shaderF16 : this.#capabilities.subgroups;
  }
}
