import type { Storage } from './buffers';

/** More are forgotten: those of storage that is gone are never asked for again. */
const MOST_GROUPS = 2048;

interface BoundGroup {
  readonly storages: readonly Storage[];
  readonly group: GPUBindGroup;
  readonly next: BoundGroup | undefined;
}

/** The bind groups of one kernel by the storage bound: made once, found again by the numbers of the storage. */
export class BindGroups {
  readonly #byHash = new Map<number, BoundGroup>();
  #count = 0;

  /** The group with exactly these, in this order; what `make` gives where there was none yet. */
  get(storages: readonly Storage[], make: (storages: readonly Storage[]) => GPUBindGroup): GPUBindGroup {
    let hash = 0;
    for (let index = 0; index < storages.length; index++) {
      hash = (Math.imul(hash, 0x9e3779b1) + storages[index]!.number) | 0;
    }
    const first = this.#byHash.get(hash);
    for (let bound = first; bound; bound = bound.next) {
      if (isSame(bound.storages, storages)) return bound.group;
    }
    const group = make(storages);
    if (this.#count === MOST_GROUPS) {
      this.#byHash.clear();
      this.#count = 0;
    }
    const next = this.#byHash.get(hash);
    this.#byHash.set(hash, { storages: storages.slice(), group, next });
    this.#count += 1;
    return group;
  }
}

function isSame(a: readonly Storage[], b: readonly Storage[]): boolean {
  for (let index = 0; index < a.length; index++) if (a[index] !== b[index]) return false;
  return true;
}
