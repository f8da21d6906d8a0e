/** A cache within a budget of bytes: what was used longest ago goes first. */
export class TileCache<Value> {
  readonly budgetBytes: number;
  readonly #bytesOf: (value: Value) => number;
  readonly #entries = new Map<string, Value>();
  #held = 0;

  constructor(budgetBytes: number, bytesOf: (value: Value) => number) {
    this.budgetBytes = budgetBytes;
    this.#bytesOf = bytesOf;
  }

  /** Bytes of everything held. */
  get bytes(): number {
    return this.#held;
  }

  get size(): number {
    return this.#entries.size;
  }

  /** The value, which counts as used now. */
  get(key: string): Value | undefined {
    const value = this.#entries.get(key);
    if (value === undefined) return undefined;
    this.#entries.delete(key);
    this.#entries.set(key, value);
    return value;
  }

  /** The value; when it was used stays as it is. */
  peek(key: string): Value | undefined {
    return this.#entries.get(key);
  }

  /** Keeps a value. One that alone exceeds the budget is kept, too, until the next one comes. */
  set(key: string, value: Value): void {
    this.delete(key);
    this.#entries.set(key, value);
    this.#held += this.#bytesOf(value);
    for (const oldest of this.#entries.keys()) {
      if (this.#held <= this.budgetBytes || oldest === key) return;
      this.delete(oldest);
    }
  }

  delete(key: string): void {
    const value = this.#entries.get(key);
    if (value === undefined) return;
    this.#entries.delete(key);
    this.#held -= this.#bytesOf(value);
  }

  /** Lets go of every value whose key is meant. */
  forget(isMeant: (key: string) => boolean): void {
    for (const key of [...this.#entries.keys()]) if (isMeant(key)) this.delete(key);
  }

  clear(): void {
    this.#entries.clear();
    this.#held = 0;
  }
}
