import type { CompileStage } from '../ops';
import type { Capabilities } from './capabilities';
import { type Extension, kernelNamed } from './kernel';
import { knownPipelines, type PipelineName } from './known-pipelines';
import type { Pipelines } from './pipelines';

/** Compiles ahead what a study will take, stage by stage. */
export class Preparation {
  readonly #pipelines: Pipelines;
  readonly #capabilities: Capabilities;
  readonly #stages = new Map<CompileStage, Promise<unknown>>();

  constructor(pipelines: Pipelines, capabilities: Capabilities) {
    this.#pipelines = pipelines;
    this.#capabilities = capabilities;
  }

  /** Begins with all stages, the first one first. */
  begin(): void {
    if (this.#stages.size > 0) return;
    const known = knownPipelines(this.#capabilities);
    for (const stage of ['selfTest', 'reading', 'study'] as const) {
      this.#stages.set(stage, Promise.all(known[stage].map((name) => this.#prepare(name))));
    }
  }

  async done(stage: CompileStage): Promise<void> {
    await this.#stages.get(stage);
  }

  #prepare({ kernel: name, constants }: PipelineName): Promise<void> | undefined {
    const kernel = kernelNamed(name);
    if (!kernel?.extensions.every((extension) => this.#has(extension))) return undefined;
    return this.#pipelines.prepare(kernel, constants);
  }

  #has(extension: Extension): boolean {
    return extension === 'f16' ? this.#capabilities.shaderF16 : this.#capabilities.subgroups;
  }
}
