import { ArgumentError, excerpt, FormatError, isKtoError, type Store } from "@kto/core";
import { type Dtype, type TensorInfo, toFloat32 } from "@kto/safetensors";
import type { MetadataValue } from "../container/metadata.js";
import { planGguf } from "../container/header-writer.js";
import { writeGguf, type WriteGgufOptions } from "../container/writer.js";
import { expectNew, expectRoom } from "../export/place.js";
import { fieldsOf } from "../json-fields.js";
import { hyperParameters } from "../qwen2/hyper-parameters.js";
import { tensorShapes } from "../qwen2/model-tensors.js";
import { quantize } from "../quantize.js";
import { adapterPairs } from "./adapter-pairs.js";
import { adapterScale } from "./adapter-scale.js";

/** An adapter of peft, and the config of the model that it acts on. */
export interface GgufAdapter {
  /** A parsed adapter_config.json. */
  readonly config: unknown;
  /** adapter_model.safetensors, open. */
  readonly tensors: {
    readonly tensors: ReadonlyMap<string, TensorInfo>;
    read(name: string): Promise<{ readonly data: ArrayBufferView; readonly dtype: Dtype }>;
  };
  /** The base model's parsed config.json. */
  readonly baseConfig: unknown;
  /** `general.name`, where one is given. */
  readonly name?: string | undefined;
}

/** How an adapter is written. */
export interface ExportGgufAdapterOptions extends WriteGgufOptions {
  readonly store: Store;
  /** Path of the file in the store. */
  readonly out: string;
  /** Of both matrices; default F32, which keeps what training has. */
  readonly type?: "F32" | "F16" | "BF16" | undefined;
  /** Replace a file that is there; else it is an error. */
  readonly overwrite?: boolean | undefined;
  /** Is told the size once the adapter was found good, before the first byte. */
  onPlan?(bytes: number): void;
}

/**
 * Writes a LoRA adapter of peft as a GGUF file that llama.cpp loads beside the base model (`--lora`) and Ollama names in a Modelfile (ADAPTER).
 *
 * @returns bytes written
 * @throws FormatError for what such a file cannot say (DoRA, biases, saved modules, an adapter on a tied head), for an adapter of another model, and for values that are not finite;
 *   ArgumentError, WriteError as `exportGguf`
 */
export async function exportGgufAdapter(adapter: GgufAdapter, options: ExportGgufAdapterOptions): Promise<{ bytes: number }> {
  const { store, out, type = "F32", signal, onProgress } = options;
  if (type !== "F32" && type !== "F16" && type !== "BF16")
    throw new ArgumentError({ operation: "exportGgufAdapter", problem: "{type} is not one of an adapter", expected: "F32, F16 or BF16", got: excerpt(type), fields: ["type"] }); // prettier-ignore
  const { sizes } = hyperParameters(adapter.baseConfig);
  const shapes = tensorShapes(sizes);
  if (sizes.tieWordEmbeddings) shapes.delete("output.weight"); // a file of a tied model has none that an adapter could act on
  const { tensors } = adapter.tensors;
  const pairs = adapterPairs(adapter.config, tensors, shapes);
  const { alpha, factorOf } = adapterScale(fieldsOf(adapter.config));
  const read = async (name: string, factor: number): Promise<Uint8Array> => {
    const { data, dtype } = await adapter.tensors.read(name);
    const values = toFloat32(data, dtype).values;
    try {
      return quantize(factor === 1 ? values : values.map((value) => value * factor), type);
    } catch (error) {
      if (!isKtoError(error) || error.code !== "ARGUMENT") throw error;
      throw new FormatError(`exportGgufAdapter: ${name} cannot be written: ${error.message}`, { tensor: name, cause: error });
    }
  };
  const text = (value: string): MetadataValue => ({ type: "string", value });
  const content = {
    metadata: [
      ["general.architecture", text("qwen2")],
      ["general.type", text("adapter")],
      ["adapter.type", text("lora")],
      ...(adapter.name ? [["general.name", text(adapter.name)] as const] : []),
      ["adapter.lora.alpha", { type: "f32", value: alpha }],
      ["general.quantization_version", { type: "u32", value: 2 }],
    ] as [string, MetadataValue][],
    tensors: pairs.flatMap(({ path, base, a, b, r }) => [
      { name: `${base}.lora_a`, type, shape: tensors.get(a)!.shape, data: () => read(a, 1) },
      { name: `${base}.lora_b`, type, shape: tensors.get(b)!.shape, data: () => read(b, factorOf(path, r)) },
    ]),
  };
  const { totalBytes } = planGguf(content.metadata, content.tensors);
  if (!options.overwrite) await expectNew("exportGgufAdapter", store, [out]);
  signal?.throwIfAborted();
  options.onPlan?.(totalBytes);
  await expectRoom("exportGgufAdapter", store, totalBytes, out);
  await store.write(out, async (sink) => void (await writeGguf(sink, content, { signal, onProgress })));
  return { bytes: totalBytes };
}
