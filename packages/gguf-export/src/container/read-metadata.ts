import { excerpt } from "@kto/core";
import type { HeaderBytes } from "./header-bytes.js";
import { ALIGNMENT_KEY, type MetadataValue, numberArrays, type NumberType, VALUE_TYPES, type ValueType } from "./metadata.js";
import { DEFAULT_ALIGNMENT, MAX_ALIGNMENT, MAX_ARRAY_LENGTH, MAX_STRING_BYTES } from "./limits.js";

/** Fewest bytes of a key and its value: lengths, a type, and one byte of each. */
const LEAST_ENTRY_BYTES = 14;

/** Reads so many keys and their values. Throws FormatError for one that is there twice, a type or an array that the format does not have. */
export async function readMetadata(bytes: HeaderBytes, count: number): Promise<Map<string, MetadataValue>> {
  bytes.expectRoom(count * LEAST_ENTRY_BYTES, "the metadata");
  const metadata = new Map<string, MetadataValue>();
  for (let index = 0; index < count; index++) {
    const key = await bytes.text(`key ${index}`, 65_535); // the format's own bound
    if (key === "") throw bytes.fail(`key ${index} is empty; expected a name`);
    if (metadata.has(key)) throw bytes.fail(`a key is there twice; expected ${excerpt(key, 120)} once`);
    const what = `the value of ${excerpt(key, 120)}`;
    metadata.set(key, await readValue(bytes, await typeOf(bytes, what), what));
  }
  return metadata;
}

/** `general.alignment`, or 32. Throws FormatError for what is no power of two, by `fail`. */
export function alignmentOf(metadata: ReadonlyMap<string, MetadataValue>, fail: (problem: string) => Error): number {
  const given = metadata.get(ALIGNMENT_KEY);
  if (given === undefined) return DEFAULT_ALIGNMENT;
  const isPower = given.type === "u32" && given.value >= 8 && given.value <= MAX_ALIGNMENT && (given.value & (given.value - 1)) === 0;
  if (isPower) return given.value;
  throw fail(`${ALIGNMENT_KEY} is not usable; expected a u32, a power of two from 8 to ${MAX_ALIGNMENT}, got ${excerpt(given)}`);
}

async function typeOf(bytes: HeaderBytes, what: string): Promise<ValueType> {
  const id = await bytes.u32(`the type of ${what}`);
  const type = VALUE_TYPES[id];
  if (type !== undefined) return type;
  throw bytes.fail(`the type of ${what} is unknown; expected a number below ${VALUE_TYPES.length}, got ${id}; the file is damaged`);
}

async function readValue(bytes: HeaderBytes, type: ValueType, what: string): Promise<MetadataValue> {
  if (type === "array") return readArray(bytes, what);
  if (type === "string") return { type, value: await bytes.text(what, MAX_STRING_BYTES) };
  if (type === "bool") return { type, value: truth(bytes, (await bytes.bytes(1, what))[0]!, what) };
  const [value] = await readNumbers(bytes, type, 1, what);
  return { type, value } as MetadataValue;
}

async function readArray(bytes: HeaderBytes, what: string): Promise<MetadataValue> {
  const of = await typeOf(bytes, `the elements of ${what}`);
  const length = await bytes.count(`the length of ${what}`, MAX_ARRAY_LENGTH);
  if (of === "array") throw bytes.fail(`${what} is an array of arrays, which llama.cpp does not read; expected numbers, texts or booleans`);
  if (of === "bool") {
    const flags = await bytes.bytes(length, what);
    return { type: "array", of, value: Array.from(flags, (flag) => truth(bytes, flag, what)) };
  }
  if (of === "string") {
    bytes.expectRoom(length * 8, what);
    const value: string[] = [];
    for (let index = 0; index < length; index++) value.push(await bytes.text(what, MAX_STRING_BYTES));
    return { type: "array", of, value };
  }
  return { type: "array", of, value: await readNumbers(bytes, of, length, what) } as MetadataValue;
}

async function readNumbers<Type extends NumberType>(
  bytes: HeaderBytes,
  type: Type,
  length: number,
  what: string,
): Promise<InstanceType<(typeof numberArrays)[Type]>> {
  const ArrayType = numberArrays[type];
  const taken = await bytes.bytes(length * ArrayType.BYTES_PER_ELEMENT, what);
  return new ArrayType(taken.buffer) as InstanceType<(typeof numberArrays)[Type]>;
}

function truth(bytes: HeaderBytes, value: number, what: string): boolean {
  if (value < 2) return value === 1;
  throw bytes.fail(`${what} is no boolean; expected 0 or 1, got ${value}; the file is damaged`);
}
