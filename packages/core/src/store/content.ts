import { ArgumentError } from "../errors.js";
import type { ByteSink } from "../store.js";

/** What `Store.write` takes: text, bytes, or a function that gives them piece by piece. */
export type StoreContent = string | Uint8Array | ((sink: ByteSink) => Promise<void>);

/** Gives some content to a sink. */
export async function writeContent(content: StoreContent, sink: ByteSink): Promise<void> {
  if (typeof content === "function") await content(sink);
  else await sink.write(bytesOf(content));
}

/** Text as UTF-8, bytes as they are. */
export function bytesOf(content: string | Uint8Array): Uint8Array {
  return typeof content === "string" ? new TextEncoder().encode(content) : content;
}

/** The parts of a path in a store. Throws ArgumentError for one that is empty, absolute or leaves the store. */
export function pathParts(operation: string, path: string): string[] {
  const parts = path.split("/");
  if (parts.every((part) => part !== "" && part !== "." && part !== ".." && !/[\\\0]/.test(part))) return parts;
  throw new ArgumentError(
    `${operation}: ${JSON.stringify(path)} is no path in a store; expected a relative one with slashes, such as "checkpoint-5/adapter_model.safetensors"`,
  );
}

/** The names that folders and files have while they are written; what a killed process left under them is not listed. */
export function isHalfWritten(name: string): boolean {
  return /\.(tmp|partial|replacing)$/.test(name);
}

/** Entries in the order of names, by code unit, so that the order is the same everywhere. */
export function byName(a: { name: string }, b: { name: string }): number {
  return a.name < b.name ? -1 : a.name > b.name ? 1 : 0;
}
