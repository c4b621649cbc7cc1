import * as z from "zod/mini";
import type { FieldType } from "./field.js";

const unitBytes: Readonly<Record<string, number>> = {
  "": 1,
  k: 1e3,
  ki: 2 ** 10,
  m: 1e6,
  mi: 2 ** 20,
  g: 1e9,
  gi: 2 ** 30,
  t: 1e12,
  ti: 2 ** 40,
};

/** A size in bytes, as a number or with a unit ("4GiB", "3500MB"); transformers' map of it by device index is taken too, for the one GPU there is. */
export function memorySize(): FieldType<number> {
  return {
    kind: "size",
    schema: z.int().check(z.minimum(1)),
    expected: 'a size such as "4GiB" or "3500MB", a number of bytes, a map such as {"0": "4GiB"}',
    given: z.union([z.number().check(z.gt(0)), z.string(), z.record(z.string(), z.union([z.number(), z.string()]))]),
    convert: (given) => memoryBytes(given) ?? given,
  };
}

/** Bytes of "4GiB"; undefined for what is no size. Of a map, those of the GPU: nothing of a model is put into the host's memory or on its disk here. */
function memoryBytes(size: unknown): number | undefined {
  if (typeof size === "object" && size !== null) {
    const sizes = Object.entries(size).flatMap(([place, bytes]): unknown[] => (place === "cpu" || place === "disk" ? [] : [bytes]));
    return sizes.length === 1 && typeof sizes[0] !== "object" ? memoryBytes(sizes[0]) : undefined;
  }
  if (typeof size === "number") return size > 0 ? Math.floor(size) : undefined;
  const [, digits, unit] = /^\s*(\d+(?:\.\d+)?(?:e\d+)?)\s*([kmgt]?i?)b?\s*$/i.exec(String(size)) ?? [];
  const factor = unit === undefined ? undefined : unitBytes[unit.toLowerCase()];
  return digits === undefined || factor === undefined || Number(digits) === 0 ? undefined : Math.floor(Number(digits) * factor);
}
