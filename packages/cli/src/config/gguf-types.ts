import { excerpt } from "@kto/core";
import { GGUF_FILE_TYPES, type GgufFileType, readGgufFileType } from "@kto/gguf-export";

/** Types of an adapter alone. */
const adapterTypes = ["F32", "F16", "BF16"] as const;

/** What is wrong with `--type`, as mistakes of the command line. */
export function typeMistakes(given: readonly string[] | null, adapterOnly: boolean): string[] {
  const known: readonly string[] = adapterOnly ? adapterTypes : Object.keys(GGUF_FILE_TYPES);
  const mistake = (got: string): string => `--type: not usable; expected ${adapterOnly ? "one of " : ""}${known.join(", ")}, got ${got}`;
  if (given === null || given.length === 0) return adapterOnly ? [] : [mistake("none")];
  const types = given.map((name) => meant(name));
  const unknown = given.filter((_, index) => types[index] === undefined || !known.includes(types[index]));
  if (unknown.length > 0) return unknown.map((name) => mistake(excerpt(name)));
  const twice = types.find((type, index) => types.indexOf(type) !== index);
  if (twice !== undefined) return [mistake(`${twice} twice`)];
  return adapterOnly && types.length > 1 ? [mistake(types.join(" and "))] : [];
}

/** Kinds of files; `not_quantized` is `own`. */
export function typesOf(given: readonly string[], own: "F16" | "BF16"): GgufFileType[] {
  return given.map((name) => readGgufFileType(name, own));
}

/** Type of an adapter's matrices. */
export function adapterType(given: readonly string[] | null): (typeof adapterTypes)[number] {
  return adapterTypes.find((type) => type === meant(given?.[0] ?? "F32")) ?? "F32";
}

/** The 16 bits that a model is in, as its config says. */
export function ownType(config: Readonly<Record<string, unknown>>): "F16" | "BF16" {
  return (config["dtype"] ?? config["torch_dtype"]) === "float16" ? "F16" : "BF16";
}

function meant(name: string): GgufFileType | undefined {
  try {
    return readGgufFileType(name);
  } catch {
    return undefined;
  }
}
