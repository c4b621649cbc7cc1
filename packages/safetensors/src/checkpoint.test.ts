import { type ByteSource, bytesSource, type ByteDirectory, blobDirectory, FormatError } from "@kto/core";
import { describe, expect, it } from "vitest";
import { openCheckpoint } from "./checkpoint.js";
import { collect } from "./testing/fixtures.js";
import { type TensorToWrite, encodeSafetensors } from "./writer.js";

const INDEX = "model.safetensors.index.json";
const tensor = (...values: number[]): TensorToWrite => ({ dtype: "F32", shape: [values.length], data: Float32Array.from(values) });
const index = (weightMap: unknown): Uint8Array =>
  new TextEncoder().encode(JSON.stringify({ metadata: { total_size: 1 }, weight_map: weightMap }));

/** A folder in memory that counts what is open. */
function folder(
  files: Record<string, Uint8Array>,
): ByteDirectory & { open: (fileName: string) => Promise<ByteSource | undefined>; openCount: () => number } {
  let count = 0;
  return {
    name: "models/tiny",
    openCount: () => count,
    async open(fileName) {
      const bytes = Object.hasOwn(files, fileName) ? files[fileName] : undefined;
      if (!bytes) return undefined;
      count += 1;
      return { ...bytesSource(bytes, fileName), dispose: () => void (count -= 1) };
    },
  };
}

const shards = async (): Promise<Record<string, Uint8Array>> => ({
  "one.safetensors": await encodeSafetensors({ a: tensor(1, 2), b: tensor(3) }, { metadata: { format: "pt" } }),
  "two.safetensors": await encodeSafetensors({ c: tensor(4, 5, 6) }),
  [INDEX]: index({ a: "one.safetensors", c: "two.safetensors", b: "one.safetensors" }),
});

describe("openCheckpoint", () => {
  it("reads shards as one file", async () => {
    const directory = folder(await shards());
    const checkpoint = await openCheckpoint(directory);
    expect([...checkpoint.tensors.values()].map(({ name, fileName }) => [name, fileName])).toEqual([
      ["a", "one.safetensors"],
      ["b", "one.safetensors"],
      ["c", "two.safetensors"],
    ]);
    expect(checkpoint.fileNames).toEqual(["one.safetensors", "two.safetensors"]);
    expect(checkpoint.totalBytes).toBe(24);
    expect(checkpoint.metadata.format).toBe("pt");
    expect(new Float32Array((await checkpoint.read("c")).data.slice().buffer)).toEqual(Float32Array.of(4, 5, 6));
    expect((await collect(checkpoint.stream("c", 8))).map((chunk) => chunk.byteLength)).toEqual([8, 4]);
    expect(directory.openCount()).toBe(2);
    await checkpoint.dispose();
    expect(directory.openCount()).toBe(0);
  });

  it("prefers a single file, as transformers does", async () => {
    const single = await encodeSafetensors({ z: tensor(1) });
    const checkpoint = await openCheckpoint(folder({ ...(await shards()), "model.safetensors": single }));
    expect([...checkpoint.tensors.keys()]).toEqual(["z"]);
  });

  it("reads files that a user picked", async () => {
    const files = Object.entries(await shards()).map(([name, bytes]) => new File([new Uint8Array(bytes)], name));
    expect((await openCheckpoint(blobDirectory(files))).totalBytes).toBe(24);
  });

  it("keeps a tensor that a shard holds and the index does not list", async () => {
    const checkpoint = await openCheckpoint(
      folder({ ...(await shards()), [INDEX]: index({ a: "one.safetensors", c: "two.safetensors" }) }),
    );
    expect(checkpoint.tensors.has("b")).toBe(true);
  });

  const faults: Record<string, [change: (files: Record<string, Uint8Array>) => unknown, message: RegExp]> = {
    "no weights": [
      (files) => delete files[INDEX],
      /no weights in models\/tiny; expected model.safetensors or .* pickled weights \(\*\.bin\) and GGUF files are not read/,
    ],
    "pickled weights": [
      (files) => {
        delete files[INDEX];
        files["pytorch_model.bin"] = Uint8Array.of(0x80, 2);
      },
      /models\/tiny has pickled weights, which run code when they are opened; .* got pytorch_model\.bin; save the model as safetensors/,
    ],
    "pickled weights in several files": [
      (files) => {
        delete files[INDEX];
        files["pytorch_model.bin.index.json"] = new TextEncoder().encode("{}");
      },
      /got pytorch_model\.bin\.index\.json/,
    ],
    "a GGUF file under another name": [
      (files) => (files["model.safetensors"] = new TextEncoder().encode("GGUF\u0003\0\0\0\0")),
      /model\.safetensors: this is a GGUF file/,
    ],
    "missing shard": [
      (files) => delete files["two.safetensors"],
      /shard two.safetensors is missing from models\/tiny; .* lists it for 1 tensors/,
    ],
    "tensor absent everywhere": [
      (files) => (files[INDEX] = index({ a: "one.safetensors", d: "two.safetensors" })),
      /expected "d" in two.safetensors, found it in no shard/,
    ],
    "tensor in another shard": [
      (files) => (files[INDEX] = index({ a: "two.safetensors", b: "one.safetensors" })),
      /expected "a" in two.safetensors, found it in one.safetensors/,
    ],
    "truncated shard": [
      (files) => (files["two.safetensors"] = files["two.safetensors"]!.subarray(0, -4)),
      /two.safetensors: tensor "c": ends beyond the file/,
    ],
    "index that is no JSON": [(files) => (files[INDEX] = Uint8Array.of(0x7b)), /index is not valid JSON/],
    "index without weight_map": [(files) => (files[INDEX] = new TextEncoder().encode("{}")), /no weight_map/],
    "empty weight_map": [(files) => (files[INDEX] = index({})), /no weight_map/],
    "weight_map that is an array": [(files) => (files[INDEX] = index(["one.safetensors"])), /no weight_map/],
    "file name that is no string": [(files) => (files[INDEX] = index({ a: 1 })), /bad file name of tensor "a"; .* got no string/],
    "tensor listed twice": [
      (files) => (files[INDEX] = new TextEncoder().encode('{"weight_map":{"a":"one.safetensors","a":"two.safetensors"}}')),
      /duplicate key "a"/,
    ],
    "too many shards": [
      (files) => (files[INDEX] = index(Object.fromEntries(Array.from({ length: 1001 }, (_, i) => [`t${i}`, `${i}.safetensors`])))),
      /too many shards; expected at most 1000, got 1001/,
    ],
  };
  for (const bad of ["../one.safetensors", "/etc/passwd", "a\\b", "..", "C:x", "", "a\u0000"]) {
    faults[`file name ${JSON.stringify(bad)}`] = [
      (files) => (files[INDEX] = index({ a: bad })),
      /bad file name of tensor "a"; expected the name of a file in the same folder/,
    ];
  }
  for (const [what, [change, message]] of Object.entries(faults)) {
    it(`refuses and closes everything: ${what}`, async () => {
      const files = await shards();
      change(files);
      const directory = folder(files);
      const error: unknown = await openCheckpoint(directory).catch((caught: unknown) => caught);
      expect(error).toBeInstanceOf(FormatError);
      expect((error as Error).message).toMatch(message);
      expect(directory.openCount()).toBe(0);
    });
  }

  it("refuses two shards with the same tensor, and names both", async () => {
    const files = { ...(await shards()), "two.safetensors": await encodeSafetensors({ c: tensor(1), b: tensor(2) }) };
    const error = (await openCheckpoint(folder(files)).catch((caught: unknown) => caught)) as FormatError;
    expect(error.message).toMatch(
      /two shards of models\/tiny hold the same tensor; expected "b" once, got it in one.safetensors and two.safetensors/,
    );
    expect(error.tensor).toBe("b");
  });
});
