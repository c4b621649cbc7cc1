import { excerpt } from "@kto/core";
import { bytesOf } from "@kto/safetensors";
import { MAX_ARRAY_LENGTH, MAX_STRING_BYTES } from "./limits.js";
import { isNumberType, type MetadataValue, numberArrays, type NumberType, VALUE_TYPES, type ValueType } from "./metadata.js";
import { padded } from "./read-tensor-infos.js";

/** Puts a header together in memory that grows with it, little-endian. */
export class HeaderBuilder {
  #bytes = new Uint8Array(4096);
  #view = new DataView(this.#bytes.buffer);
  #length = 0;
  readonly #encoder = new TextEncoder();

  u32(value: number): void {
    this.#view.setUint32(this.#grow(4), value, true);
  }

  u64(value: number): void {
    const at = this.#grow(8);
    this.#view.setBigUint64(at, BigInt(value), true);
  }

  raw(bytes: Uint8Array): void {
    const at = this.#grow(bytes.byteLength);
    this.#bytes.set(bytes, at);
  }

  /** A text with its length in bytes before it. */
  text(text: string): void {
    const bytes = this.#encoder.encode(text);
    this.u64(bytes.byteLength);
    this.raw(bytes);
  }

  /** A value of the metadata with its type before it. `fail` makes the error of a value that its type does not hold. */
  value(given: MetadataValue, fail: (problem: string) => Error): void {
    this.u32(idOf(given.type, fail));
    if (given.type !== "array") return this.#scalar(given, fail);
    const { of, value } = given;
    this.u32(idOf(of, fail));
    if (value.length > MAX_ARRAY_LENGTH) throw fail(`is too long; expected at most ${MAX_ARRAY_LENGTH} elements, got ${value.length}`);
    this.u64(value.length);
    if (of === "string") for (const text of value) this.#checkedText(text, fail);
    else if (of === "bool") for (const flag of value) this.#scalar({ type: of, value: flag }, fail);
    else this.#numbers(of, value, fail);
  }

  /** All of it, with zeros up to a multiple of the alignment. */
  finish(alignment: number): Uint8Array<ArrayBuffer> {
    this.raw(new Uint8Array(padded(this.#length, alignment) - this.#length));
    return this.#bytes.slice(0, this.#length);
  }

  #scalar(given: Exclude<MetadataValue, { type: "array" }>, fail: (problem: string) => Error): void {
    if (given.type === "string") return this.#checkedText(given.value, fail);
    if (given.type === "bool") {
      const flag: unknown = given.value;
      if (typeof flag !== "boolean") throw fail(`does not fit its type; expected true or false, got ${excerpt(flag)}`);
      return this.raw(Uint8Array.of(flag ? 1 : 0));
    }
    const value: unknown = given.value;
    const wanted = given.type === "u64" || given.type === "i64" ? "bigint" : "number";
    if (typeof value !== wanted) throw fail(`does not fit its type; expected a ${wanted} for ${given.type}, got ${excerpt(value)}`);
    const array =
      given.type === "u64" || given.type === "i64"
        ? new numberArrays[given.type](1).fill(given.value)
        : new numberArrays[given.type](1).fill(given.value);
    const becameInfinite = Number.isFinite(value) && !Number.isFinite(array[0]);
    const isFloat = given.type === "f32" || given.type === "f64";
    if (isFloat ? becameInfinite : array[0] !== value) {
      throw fail(`does not fit its type; expected a value of ${given.type}, got ${excerpt(value)}`);
    }
    this.raw(new Uint8Array(array.buffer));
  }

  #numbers(of: NumberType, value: ArrayBufferView, fail: (problem: string) => Error): void {
    if (!isNumberType(of)) throw fail(`has elements that llama.cpp does not read; expected numbers, texts or booleans, got ${excerpt(of)}`);
    if (!(value instanceof numberArrays[of])) throw fail(`is no typed array of its type; expected ${numberArrays[of].name} for ${of}`);
    this.raw(bytesOf(value));
  }

  #checkedText(text: string, fail: (problem: string) => Error): void {
    if (typeof text !== "string") throw fail(`does not fit its type; expected a text, got ${excerpt(text)}`);
    if (/[\0\p{Surrogate}]/u.test(text))
      throw fail(`is cut by readers; expected no zero and no lone surrogate in a text, got ${excerpt(text)}`);
    if (text.length > MAX_STRING_BYTES / 3 && this.#encoder.encode(text).byteLength > MAX_STRING_BYTES) {
      throw fail(`is too long; expected at most ${MAX_STRING_BYTES} bytes`);
    }
    this.text(text);
  }

  /** Makes room for so many bytes more and says where they begin. */
  #grow(byteLength: number): number {
    const at = this.#length;
    this.#length += byteLength;
    if (this.#length > this.#bytes.byteLength) {
      const larger = new Uint8Array(Math.max(2 * this.#bytes.byteLength, this.#length));
      larger.set(this.#bytes);
      this.#bytes = larger;
      this.#view = new DataView(larger.buffer);
    }
    return at;
  }
}

function idOf(type: ValueType, fail: (problem: string) => Error): number {
  const id = VALUE_TYPES.indexOf(type);
  if (id >= 0) return id;
  throw fail(`has an unknown type; expected one of ${VALUE_TYPES.join(", ")}, got ${excerpt(type)}`);
}
