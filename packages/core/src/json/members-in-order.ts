/** The largest key that JavaScript takes for an index, and puts before all others. */
const maxIndex = 2 ** 32 - 2;

/** True for a key that may not stay where it is put into an object: one that begins like an index, or is `__proto__`. */
export function movesKey(key: string): boolean {
  const first = key.charCodeAt(0);
  return (first >= 0x30 && first <= 0x39) || key === "__proto__";
}

/** Collects the members of an object: a plain object while that keeps their order, else a `Map`. */
export class MembersInOrder {
  readonly #fields: Record<string, unknown>;
  #map: Map<string, unknown> | undefined;
  #lastIndex = -1;
  #hasName: boolean;

  /** @param fields  the members so far, none of which moves */
  constructor(fields: Record<string, unknown>) {
    this.#fields = fields;
    this.#hasName = Object.keys(fields).length > 0;
  }

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
    if (isIndex(key)) {
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
