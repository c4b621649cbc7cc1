import { bytesSource } from "@kto/core";
import type { FuzzedReader } from "../../../testing/src/fuzzed-reader.js";
import { openGguf } from "../container/gguf-file.js";
import { encodeGguf } from "../container/writer.js";
import { dequantize, quantize, QUANTIZED_TYPES, type QuantizedType } from "../quantize.js";
import { exampleFile } from "./conformance.js";
import { goldenModels, metadataOf } from "./golden-models.js";

/** A file with a tensor of every type that is dequantised. */
const everyType = (): Promise<Uint8Array> =>
  encodeGguf({
    metadata: metadataOf(goldenModels.A, 15, true),
    tensors: QUANTIZED_TYPES.map((type) => ({ name: type, type, shape: [256], data: quantize(new Float32Array(256).fill(0.5), type) })),
  });

/** A reader for the fuzzer: the header, and the values of all tensors. */
export const ggufReader: FuzzedReader = {
  name: "gguf",
  kind: "bytes",
  seeds: async () => [exampleFile, await everyType()],
  read: async (input) => {
    const file = await openGguf(bytesSource(input, "model.gguf"));
    for (const { name, type } of [...file.tensors.values()].slice(0, 50)) {
      const bytes = await file.read(name);
      if ((QUANTIZED_TYPES as readonly string[]).includes(type)) dequantize(bytes, type as QuantizedType);
    }
  },
};
