/** The largest key that JavaScript takes for an index, and puts before all others. */
const maxIndex = 2 ** 32 - 2;

/** Collects the members of an object: a plain object while that keeps their order, else a `Map`. */
export class MembersInOrder {
  #fields: Record<string, unknown> = {};
  #map: Map<string, unknown> | undefined;
  #lastIndex = -1;
  #hasName = false;

  get value(): Record<string, unknown> | Map<string, unknown> {
    return this.#map ?? this.#fields;
  }

  /** Adds a member; one that is there already keeps its place and takes the value. */
  set(key: string, value: unknown): void {
    if (this.#map) this.#map.set(key, value);
    else if (this.#keepsOrder(key)) this.#fields[key] = value;
    else this.#map = new Map(Object.entries(this.#fields)).set(key, value);
  }

  #keepsOrder(key: string): boolean {
    const first = key.charCodeAt(0);
    if (first >= 0x30 && first <= 0x39 && isIndex(key)) {
      if (Object.hasOwn(this.#fields, key)) return true;
      const isNext = !this.#hasName && Number(key) > this.#lastIndex;
      this.#lastIndex = Number(key);
      return isNext;
    }
    this.#hasName = true;
    return key !== "__proto__";
  }
}

function isIndex(key: string): boolean {
  return key.length <= 10 && /^(?:0|[1-9]\d*)$/.test(key) && Number(key) <= maxIndex;
}
