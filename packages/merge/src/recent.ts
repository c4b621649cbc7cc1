/** What was made last, by name: rows of a weight are asked for one after the other, and what they share is made once. */
export class Recent<Value> {
  readonly #most: number;
  readonly #kept = new Map<string, Promise<Value>>();

  constructor(most: number) {
    this.#most = most;
  }

  /** What is kept under a name, or what `make` gives; a failure is not kept. */
  get(name: string, make: () => Promise<Value>): Promise<Value> {
    const kept = this.#kept.get(name);
    if (kept) return kept;
    const made = make();
    this.#kept.set(name, made);
    for (const oldest of this.#kept.keys()) {
      if (this.#kept.size <= this.#most) break;
      this.#kept.delete(oldest);
    }
    made.catch(() => this.#kept.delete(name));
    return made;
  }
}
