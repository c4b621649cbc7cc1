import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { bytesSource, type ByteDirectory } from "@kto/core";
import type { FuzzedReader } from "../../../testing/src/fuzzed-reader.js";
import { openCheckpoint } from "../checkpoint.js";
import { toFloat32 } from "../convert.js";
import { openSafetensors } from "../safetensors-file.js";
import { encodeSafetensors } from "../writer.js";
import { fixtures } from "./fixtures.js";

const shard = (name: string): Promise<Uint8Array> => encodeSafetensors({ [name]: { dtype: "F32", shape: [2], data: new Float32Array(2) } });
const index = {
  metadata: { total_size: 16 },
  weight_map: { a: "model-00001-of-00002.safetensors", b: "model-00002-of-00002.safetensors" },
};

/** Readers for the fuzzer. */
export const fuzzedReaders: readonly FuzzedReader[] = [
  {
    name: "safetensors-file",
    kind: "bytes",
    seeds: () =>
      Promise.all(
        ["shapes", "every-dtype", "names", "empty-metadata", "two-keys"].map((name) =>
          readFile(join(fixtures, `safetensors/${name}.safetensors`)),
        ),
      ),
    read: async (input) => {
      const file = await openSafetensors(bytesSource(input, "model.safetensors"));
      for (const name of [...file.tensors.keys()].slice(0, 50)) {
        const { data, dtype } = await file.read(name);
        if (/^(F|BF)/.test(dtype)) toFloat32(data, dtype);
      }
    },
  },
  {
    name: "shard-index",
    kind: "json",
    seeds: async () => [new TextEncoder().encode(JSON.stringify(index))],
    read: async (input) => {
      const files = new Map<string, Uint8Array>([
        ["model.safetensors.index.json", input],
        ["model-00001-of-00002.safetensors", await shard("a")],
        ["model-00002-of-00002.safetensors", await shard("b")],
      ]);
      const folder: ByteDirectory = {
        name: "m",
        open: async (name) => (files.has(name) ? bytesSource(files.get(name)!, name) : undefined),
      };
      await (await openCheckpoint(folder)).dispose();
    },
  },
];
