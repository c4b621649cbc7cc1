import type { FuzzedReader } from "../../../testing/src/fuzzed-reader.js";
import { loadDataset } from "../load-dataset.js";
import { contentCases, jsonCases, unreadCases } from "./text-cases.js";

const filesOf = (ending: RegExp): Uint8Array[] =>
  [...jsonCases, ...contentCases, ...unreadCases].flatMap(({ name, files }) =>
    Object.entries(files)
      .filter(([path, file]) => ending.test(path) && file.length > 0 && name !== "a bomb") // which takes its time, in proportion to what it becomes
      .map(([, file]) => (typeof file === "string" ? new TextEncoder().encode(file) : Uint8Array.from(file))),
  );

/** JSON in all its layouts, CSV, and both compressed, in UTF-16, or something else altogether. */
export const textFuzz: readonly FuzzedReader[] = [
  { name: "json-rows", kind: "text", seeds: () => filesOf(/\.jsonl?$/), read: (bytes) => visit(bytes, "x.jsonl") },
  { name: "csv", kind: "text", seeds: () => filesOf(/\.(?:csv|tsv|txt)$/), read: (bytes) => visit(bytes, "x.csv") },
  { name: "compressed-rows", kind: "bytes", seeds: () => filesOf(/\.(?:gz|zst|bz2|xz)$/), read: (bytes) => visit(bytes, "x.jsonl.gz") },
];

/** Reads every value, as training does. */
async function visit(bytes: Uint8Array, name: string): Promise<void> {
  for (const row of await loadDataset(bytes, { name })) Object.values(row);
}
