/** Ends the reading of an Arrow file of which a part is not what it should be. */
export type Fail = (problem: string) => never;

const decoder = new TextDecoder();

/** Names are short. Many fields may point at one text, so that a long one would be made over and over. */
const MAX_TEXT_BYTES = 2 ** 16;

/** A table of a FlatBuffer: fields by number, each in its place or left out. Nothing is read outside its bytes; `fail` throws. */
export class FlatTable {
  readonly #view: DataView;
  readonly #fail: Fail;
  readonly #position: number;
  readonly #fields: number;
  readonly #numFields: number;

  /** The table that a FlatBuffer begins with. */
  static root(bytes: Uint8Array, fail: Fail): FlatTable {
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    if (bytes.length < 8) fail("metadata is empty");
    return new FlatTable(view, view.getUint32(0, true), fail);
  }

  private constructor(view: DataView, position: number, fail: Fail) {
    this.#view = view;
    this.#fail = fail;
    this.#position = position;
    if (position + 4 > view.byteLength) fail("metadata goes past its end");
    this.#fields = position - view.getInt32(position, true);
    const length = this.#uint16(this.#fields);
    if (length < 4 || this.#fields + length > view.byteLength) fail("metadata goes past its end");
    this.#numFields = (length - 4) >> 1;
  }

  boolean(field: number): boolean {
    return this.uint8(field, 0) !== 0;
  }

  uint8(field: number, missing: number): number {
    const at = this.#placeOf(field, 1);
    return at === 0 ? missing : this.#view.getUint8(at);
  }

  int16(field: number, missing: number): number {
    const at = this.#placeOf(field, 2);
    return at === 0 ? missing : this.#view.getInt16(at, true);
  }

  int32(field: number, missing: number): number {
    const at = this.#placeOf(field, 4);
    return at === 0 ? missing : this.#view.getInt32(at, true);
  }

  /** A 64-bit number that counts something; 0 where it is left out. */
  count(field: number): number {
    const at = this.#placeOf(field, 8);
    return at === 0 ? 0 : this.#countAt(at);
  }

  text(field: number): string | undefined {
    const vector = this.#vector(field, 1);
    if (vector && vector.length > MAX_TEXT_BYTES) this.#fail(`a name in its metadata has ${vector.length} bytes`);
    return vector && decoder.decode(new Uint8Array(this.#view.buffer, this.#view.byteOffset + vector.start, vector.length));
  }

  table(field: number): FlatTable | undefined {
    const at = this.#placeOf(field, 4);
    return at === 0 ? undefined : this.#tableAt(at);
  }

  /** A list of at most `most` tables. */
  tables(field: number, most: number): FlatTable[] {
    const vector = this.#vector(field, 4);
    if (vector && vector.length > most) this.#fail(`a list in its metadata has ${vector.length} entries, where ${most} are the most`);
    return Array.from({ length: vector?.length ?? 0 }, (_, index) => this.#tableAt(vector!.start + 4 * index));
  }

  /** A list of pairs of 64-bit counts. */
  pairs(field: number): (readonly [number, number])[] {
    const vector = this.#vector(field, 16);
    return Array.from({ length: vector?.length ?? 0 }, (_, index) => {
      const at = vector!.start + 16 * index;
      return [this.#countAt(at), this.#countAt(at + 8)] as const;
    });
  }

  /** Where a field lies; 0 where it is left out. */
  #placeOf(field: number, size: number): number {
    if (field >= this.#numFields) return 0;
    const offset = this.#uint16(this.#fields + 4 + 2 * field);
    if (offset === 0) return 0;
    return this.#position + offset + size <= this.#view.byteLength ? this.#position + offset : this.#fail("metadata goes past its end");
  }

  #vector(field: number, elementSize: number): { start: number; length: number } | undefined {
    const at = this.#placeOf(field, 4);
    if (at === 0) return undefined;
    const vector = at + this.#view.getUint32(at, true);
    const length = vector + 4 <= this.#view.byteLength ? this.#view.getUint32(vector, true) : Infinity;
    const start = vector + 4;
    return start + length * elementSize <= this.#view.byteLength
      ? { start, length }
      : this.#fail("a list of its metadata goes past its end");
  }

  #tableAt(at: number): FlatTable {
    return new FlatTable(this.#view, at + this.#view.getUint32(at, true), this.#fail);
  }

  #countAt(at: number): number {
    const value = Number(this.#view.getBigInt64(at, true));
    return value >= 0 && Number.isSafeInteger(value) ? value : this.#fail(`a count of its metadata is ${value}`);
  }

  #uint16(at: number): number {
    return at >= 0 && at + 2 <= this.#view.byteLength ? this.#view.getUint16(at, true) : this.#fail("metadata goes past its end");
  }
}
