import { createHash } from "node:crypto";
import { describe, expect, it } from "vitest";
import { encodeGguf, writeGguf } from "./container/writer.js";
import { GGUF_FILE_TYPES, type GgufFileType } from "./file-types.js";
import { tensorTypes } from "./mix.js";
import type { QuantizedType } from "./quantize.js";
import { openQuantizer } from "./quantizer/quantizer.js";
import { conformance, sha256 } from "./testing/conformance.js";
import { goldenModels, metadataOf, tensorsOf, valuesOf } from "./testing/golden-models.js";

// The compiled quantisers: a tenth of the time of the plain ones, with which they are compared elsewhere.
const quantizer = await openQuantizer({ threads: 0 });

// Complete files against those of llama.cpp's converter and quantiser: container, order, mixes, fallbacks and blocks in one hash.
describe.each(["A", "B"] as const)("golden model %s", (name) => {
  const model = goldenModels[name];
  const tensors = tensorsOf(model);
  const shapes = new Map(tensors.map(({ name, shape }) => [name, shape]));
  const values = valuesOf(model);
  const expected = conformance.files[name];
  /** Kinds of files share most of their tensors: each is quantised once a type. */
  const made = new Map<string, Promise<Uint8Array>>();
  const quantized = (name: string, type: QuantizedType): Promise<Uint8Array> => {
    const key = `${name} ${type}`;
    const bytes = made.get(key) ?? quantizer.quantize(type, values.get(name)!, { rowSize: shapes.get(name)!.at(-1) ?? 1 });
    made.set(key, bytes);
    return bytes;
  };

  it("has a known file for every kind", () => {
    const kinds = Object.keys(GGUF_FILE_TYPES).filter((kind) => kind !== "F32");
    expect(Object.keys(expected).sort()).toEqual([...kinds, "F32 source"].sort());
  });

  it("is written in F32", async () => {
    const file = await encodeGguf({
      metadata: metadataOf(model, 0, false),
      tensors: tensors.map(({ name, shape }) => ({ name, shape, type: "F32", data: values.get(name)! })),
    });
    expect({ byteLength: file.byteLength, sha256: sha256(file) }).toEqual(expected["F32 source"]);
  });

  it.each(Object.keys(GGUF_FILE_TYPES).filter((kind) => kind !== "F32"))("is written as %s", async (kind) => {
    const fileType = kind as GgufFileType;
    const hash = createHash("sha256");
    const byteLength = await writeGguf(
      { write: async (bytes) => void hash.update(bytes) },
      {
        metadata: metadataOf(model, GGUF_FILE_TYPES[fileType].id, true),
        tensors: Array.from(tensorTypes(fileType, tensors, model), ([name, type]) => ({
          name,
          type,
          shape: shapes.get(name)!,
          data: () => quantized(name, type),
        })),
      },
    );
    expect({ byteLength, sha256: hash.digest("hex") }).toEqual(expected[kind]);
  });
});
