import { boolean, expecting, field, memorySize, orNull, path, patterns, pickFields, requiredField } from "@kto/core/config";
import { GGUF_FILE_TYPES } from "@kto/gguf-export";
import { inputFields } from "./input-fields.js";

/** Fields of `kto export-gguf`. */
export const exportGgufFields = {
  ...pickFields(inputFields, "model", "adapter"),
  out: requiredField(path("a path where nothing is"), {
    group: "output",
    help: "the file; for several types a folder, whose files are named as llama.cpp's converter names them",
  }),
  type: field(orNull(expecting(patterns(), `${Object.keys(GGUF_FILE_TYPES).join(", ")}, one or several`)), null, {
    group: "output",
    help: "kinds of files, all from one read of the weights; of an adapter alone F32, F16 or BF16, by default F32",
    aliases: ["outtype", "quantization_method"],
  }),
  imatrix: field(orNull(path("a GGUF file of kto imatrix or llama-imatrix")), null, {
    group: "output",
    help: "an importance matrix, by which errors of quantised types are weighed",
  }),
  splitMaxSize: field(orNull(expecting(memorySize(), 'a size such as "2G" or "500MB", or a number of bytes')), null, {
    group: "output",
    help: "most bytes of tensors in one file (2G); a larger model becomes several, as llama.cpp's gguf-split cuts them",
  }),
  adapterOnly: field(boolean(), false, {
    group: "output",
    help: "writes the adapter alone, for llama.cpp's --lora; the model says what it acts on",
  }),
};
