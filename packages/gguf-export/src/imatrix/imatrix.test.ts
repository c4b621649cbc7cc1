import { bytesSource, FormatError, memoryStore } from "@kto/core";
import { describe, expect, it } from "vitest";
import { openGguf } from "../container/gguf-file.js";
import { encodeGguf } from "../container/writer.js";
import { exportGguf } from "../export/export-gguf.js";
import { quantize } from "../quantize.js";
import { fixtureModel } from "../testing/fixture-model.js";
import { type ImportanceMatrix, readImportanceMatrix, writeImportanceMatrix } from "./imatrix.js";

/** Entries for the linear layers of the tiny model's first layer. */
const matrix: ImportanceMatrix = {
  entries: new Map([
    ["blk.0.ffn_down.weight", { sumSquares: Float32Array.from({ length: 160 }, (_, i) => 1 + (i % 9)), count: 4 }],
    ["blk.0.attn_q.weight", { sumSquares: Float32Array.from({ length: 64 }, (_, i) => i / 3), count: 0 }],
  ]),
  datasets: ["calibration.txt"],
  chunkCount: 2,
  chunkSize: 512,
};

async function bytesOf(given: ImportanceMatrix): Promise<Uint8Array> {
  const store = memoryStore();
  await store.write("imatrix.gguf", async (sink) => void (await writeImportanceMatrix(sink, given)));
  const source = (await store.open("imatrix.gguf"))!;
  return source.slice(0, source.byteLength);
}

it("what is written is read again, and is a GGUF file as llama.cpp's tool writes it", async () => {
  const bytes = await bytesOf(matrix);
  const again = await readImportanceMatrix(bytesSource(bytes));
  expect(again).toEqual(matrix);
  const { metadata, tensors } = await openGguf(bytesSource(bytes));
  expect([...metadata.keys()]).toEqual(["general.type", "imatrix.datasets", "imatrix.chunk_count", "imatrix.chunk_size"]);
  expect(Array.from(tensors.values(), ({ name, shape, type }) => [name, shape, type])).toEqual([
    ["blk.0.attn_q.weight.in_sum2", [64], "F32"],
    ["blk.0.attn_q.weight.counts", [1], "F32"],
    ["blk.0.ffn_down.weight.in_sum2", [160], "F32"],
    ["blk.0.ffn_down.weight.counts", [1], "F32"],
  ]);
});

it("weighs the quantisers, changes the mix as llama.cpp does, and is named in the file", async () => {
  const model = await fixtureModel("model");
  const deep = { ...model, config: model.config }; // two layers: no layer is in the first eighth
  const store = memoryStore();
  await exportGguf(deep, { store, types: ["Q4_0"], out: "m.gguf", importance: { ...matrix, name: "imatrix.gguf" } });
  const file = await openGguf((await store.open("m.gguf"))!);
  expect([...file.metadata].slice(-6)).toEqual([
    ["general.quantization_version", { type: "u32", value: 2 }],
    ["general.file_type", { type: "u32", value: 2 }],
    ["quantize.imatrix.file", { type: "string", value: "imatrix.gguf" }],
    ["quantize.imatrix.dataset", { type: "string", value: "calibration.txt" }],
    ["quantize.imatrix.entries_count", { type: "u32", value: 2 }],
    ["quantize.imatrix.chunks_count", { type: "u32", value: 2 }],
  ]);
  const of = async (weight: string, importance?: Float32Array): Promise<Uint8Array> =>
    quantize(await model.weights.read(`model.layers.0.${weight}.weight`), "Q4_0", { importance });
  const means = matrix.entries.get("blk.0.ffn_down.weight")!.sumSquares.map((sum) => sum / 4);
  expect(await file.read("blk.0.ffn_down.weight")).toEqual(await of("mlp.down_proj", means));
  expect(await file.read("blk.0.attn_q.weight")).toEqual(await of("self_attn.q_proj", new Float32Array(64).fill(1))); // no token came
  expect(await file.read("blk.0.attn_k.weight")).toEqual(await of("self_attn.k_proj"));
});

describe("refuses", () => {
  const read = (bytes: Uint8Array, name?: string): Promise<unknown> => readImportanceMatrix(bytesSource(bytes, name));
  const entry = (sumSquares: number[], counts: number[]): Promise<Uint8Array> =>
    encodeGguf({
      metadata: [["general.type", { type: "string", value: "imatrix" }]],
      tensors: [
        { name: "w.in_sum2", type: "F32", shape: [sumSquares.length], data: Float32Array.from(sumSquares) },
        { name: "w.counts", type: "F32", shape: [counts.length], data: Float32Array.from(counts) },
      ],
    });

  it("the old format, by its name and by its bytes", async () => {
    await expect(read(new Uint8Array([2, 0, 0, 0, 9]), "imatrix.dat")).rejects.toThrow(
      /in the old format; expected a GGUF file, got \.dat; convert it with llama-imatrix/,
    );
    await expect(read(new Uint8Array(2))).rejects.toThrow(FormatError);
  });

  it("other GGUF files, halves, experts and numbers that are none", async () => {
    await expect(read(await encodeGguf({ metadata: [["general.type", { type: "string", value: "model" }]], tensors: [] }))).rejects.toThrow(
      /expected general\.type "imatrix", got "model"/,
    );
    await expect(read(await entry([1], [1, 1]))).rejects.toThrow(/several experts/);
    await expect(read(await entry([1, -1], [1]))).rejects.toThrow(/expected finite numbers from 0, got -1/);
    await expect(read(await entry([1, Infinity], [1]))).rejects.toThrow(/got Infinity/);
    const half = await encodeGguf({
      metadata: [["general.type", { type: "string", value: "imatrix" }]],
      tensors: [{ name: "w.in_sum2", type: "F32", shape: [1], data: new Float32Array(1) }],
    });
    await expect(read(half)).rejects.toThrow(/half of an entry; expected "w\.counts" too/);
  });

  it("a matrix of another model", async () => {
    const model = await fixtureModel("model");
    const exported = (entries: ImportanceMatrix["entries"]): Promise<unknown> =>
      exportGguf(model, { store: memoryStore(), types: ["Q4_0"], out: "m", importance: { ...matrix, entries, name: "i" } });
    const wide = new Map([["blk.0.attn_q.weight", { sumSquares: new Float32Array(128), count: 1 }]]);
    await expect(exported(wide)).rejects.toThrow(/of another model; expected 64 columns of blk\.0\.attn_q\.weight, got 128/);
    await expect(exported(new Map([["x.weight", { sumSquares: new Float32Array(1), count: 1 }]]))).rejects.toThrow(
      /expected an entry for one of its 27 tensors/,
    );
  });
});
