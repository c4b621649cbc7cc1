import { readdirSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

/** Folder of the test data of all packages. */
export const fixtures: string = fileURLToPath(new URL("../../../testing/fixtures/", import.meta.url));

/** Every safetensors file among the fixtures, so that one dropped in is a test. */
export function fixtureFiles(): string[] {
  return readdirSync(fixtures, { recursive: true, encoding: "utf8" })
    .filter((path) => path.endsWith(".safetensors"))
    .sort();
}

/** A file from a header, written as it is, and data. */
export function rawFile(header: string | Uint8Array, data: Uint8Array | number = 0, headerLength?: number | bigint): Uint8Array {
  const json = typeof header === "string" ? new TextEncoder().encode(header) : header;
  const body = typeof data === "number" ? new Uint8Array(data) : data;
  const file = new Uint8Array(8 + json.byteLength + body.byteLength);
  new DataView(file.buffer).setBigUint64(0, BigInt(headerLength ?? json.byteLength), true);
  file.set(json, 8);
  file.set(body, 8 + json.byteLength);
  return file;
}

/** Runs `use` with a folder that is gone afterwards. */
export async function withFolder<T>(use: (folder: string) => Promise<T>): Promise<T> {
  const folder = await mkdtemp(join(tmpdir(), "kto-safetensors-"));
  try {
    return await use(folder);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** Everything an iterator gives. */
export async function collect<T>(items: AsyncIterable<T>): Promise<T[]> {
  const all: T[] = [];
  for await (const item of items) all.push(item);
  return all;
}
