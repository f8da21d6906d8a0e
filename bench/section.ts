import type { Ops } from '../gpu/ops';
import type { Peak } from './peak';
import type { Measurement } from './timing';

/** What a section measures on, and where its results go. */
export interface Bench {
  readonly ops: Ops;
  /** The GPU, and what it can do at most; undefined for the CPU backend. */
  readonly gpu?: { readonly device: GPUDevice; readonly peak: Peak };
  /** Methods to measure, where a section measures methods; all of them without it. */
  readonly methods?: readonly string[];
  /** A line of text under the section's title. */
  print(line: string): void;
  /** A row of the table of measurements; its header comes with the section's first row. */
  row(measurement: Measurement): void;
  /** A figure that is no row of that table, for the file of results. */
  figure(name: string, value: unknown): void;
}

/** A part of the benchmark that `--only` can choose. */
export interface Section {
  readonly name: string;
  readonly title: string;
  readonly needsGpu: boolean;
  run(bench: Bench): Promise<void>;
}
