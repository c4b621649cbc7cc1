import type { Fail } from "./damage.js";

/** Types of values in Thrift's compact protocol. */
const STOP = 0;
const TRUE = 1;
const FALSE = 2;
const BYTE = 3;
const I16 = 4;
const I64 = 6;
const DOUBLE = 7;
const BINARY = 8;
const LIST = 9;
const SET = 10;
const STRUCT = 12;

/** Structs and lists inside each other that are followed; Parquet has fewer than ten. */
const MAX_DEPTH = 32;

/** A varint of 64 bits has ten bytes. */
const MAX_VARINT_BYTES = 10;

const decoder = new TextDecoder();

/**
 * Thrift's compact protocol, as Parquet writes its footer and page headers, read field by field: nothing is built that is not asked for, and no length is
 * believed before the bytes are there. `fail` throws.
 */
export class ThriftReader {
  offset: number;
  readonly #bytes: Uint8Array;
  readonly #fail: Fail;
  #depth = 0;

  constructor(bytes: Uint8Array, fail: Fail, offset = 0) {
    this.#bytes = bytes;
    this.#fail = fail;
    this.offset = offset;
  }

  /** The fields of a struct, each given with its number and type to `visit`, which reads it and returns true, or leaves it to be passed over. */
  struct(visit: (field: number, type: number) => boolean | undefined): void {
    this.#enter();
    let field = 0;
    for (;;) {
      const head = this.#byte();
      const type = head & 15;
      if (type === STOP) break;
      field = head >> 4 === 0 ? this.#zigzag() : field + (head >> 4);
      if (visit(field, type) !== true) this.#skip(type);
    }
    this.#depth -= 1;
  }

  /** The struct that a field or an element of a list is. */
  nested(type: number, visit: (field: number, type: number) => boolean | undefined): true {
    this.#expect(type, STRUCT);
    this.struct(visit);
    return true;
  }

  /** A whole number that JavaScript holds exactly. */
  integer(type: number): number {
    if (type < BYTE || type > I64) this.#fail(`a number was expected, and type ${type} came`);
    const value = type === BYTE ? (this.#byte() << 24) >> 24 : this.#zigzag();
    return Number.isSafeInteger(value) ? value : this.#fail(`the number ${value} is impossible`);
  }

  boolean(type: number): boolean {
    if (type !== TRUE && type !== FALSE) this.#fail(`true or false was expected, and type ${type} came`);
    return type === TRUE;
  }

  text(type: number): string {
    return decoder.decode(this.binary(type));
  }

  binary(type: number): Uint8Array {
    this.#expect(type, BINARY);
    const length = this.#length();
    this.offset += length;
    return this.#bytes.subarray(this.offset - length, this.offset);
  }

  /** The elements of a list, each read by `visit`. */
  list(type: number, visit: (elementType: number) => void): true {
    this.#expect(type, LIST);
    const head = this.#byte();
    const count = head >> 4 === 15 ? this.#length() : head >> 4;
    this.#enter();
    for (let index = 0; index < count; index++) visit(head & 15);
    this.#depth -= 1;
    return true;
  }

  #enter(): void {
    if (++this.#depth > MAX_DEPTH) this.#fail(`fields nest deeper than ${MAX_DEPTH}`);
  }

  #expect(type: number, wanted: number): void {
    if (type !== wanted) this.#fail(`type ${wanted} was expected, and type ${type} came`);
  }

  #byte(): number {
    if (this.offset >= this.#bytes.length) this.#fail("its fields end before they should");
    return this.#bytes[this.offset++]!;
  }

  /** A length or count, which takes at least a byte for each. */
  #length(): number {
    const length = this.#varint();
    const left = this.#bytes.length - this.offset;
    return length <= left ? length : this.#fail(`a length of ${length} was found where ${left} bytes are left`);
  }

  #varint(): number {
    let value = 0;
    let scale = 1;
    for (let count = 0; count < MAX_VARINT_BYTES; count++) {
      const byte = this.#byte();
      value += (byte & 127) * scale;
      if (byte < 128) return value;
      scale *= 128;
    }
    return this.#fail("a number has no end");
  }

  #zigzag(): number {
    const value = this.#varint();
    return value % 2 === 0 ? value / 2 : -(value + 1) / 2;
  }

  #skip(type: number): void {
    switch (type) {
      case TRUE:
      case FALSE:
        return;
      case BYTE:
        this.#byte();
        return;
      case DOUBLE:
        for (let count = 0; count < 8; count++) this.#byte();
        return;
      case BINARY:
        this.binary(BINARY);
        return;
      case LIST:
      case SET:
        // An element that is true or false has a byte of its own, unlike a field.
        this.list(LIST, (element) => (element === TRUE || element === FALSE ? void this.#byte() : this.#skip(element)));
        return;
      case STRUCT:
        this.struct(() => false);
        return;
    }
    if (type < I16 || type > I64) this.#fail(`type ${type} is unknown`);
    this.#varint();
  }
}
